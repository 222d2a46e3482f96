//! Errors of libjpeg as panics without a message on the terminal, which [`super::decode`] catches.

use std::ffi::c_int;
use std::mem::transmute;
use std::panic::resume_unwind;

use mozjpeg_sys::{
    JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR, JWRN_NOT_SEQUENTIAL, jpeg_common_struct, jpeg_error_mgr,
    jpeg_std_error,
};

/// Payload of the panic: libjpeg's message.
pub(super) struct Message(pub String);

/// Warnings about headers of harmless files: unknown versions of JFIF and of Adobe's marker, and parameters of a scan
/// that sequential files do not use.
const HARMLESS: [c_int; 3] =
    [JWRN_ADOBE_XFORM as c_int, JWRN_JFIF_MAJOR as c_int, JWRN_NOT_SEQUENTIAL as c_int];

/// Error handlers that end decoding at the first error, and at the first warning about damaged data. libjpeg
/// itself would continue after a warning and return grey or shifted pixels.
pub(super) fn strict() -> jpeg_error_mgr {
    let mut handlers = empty();
    // SAFETY: the function writes every field of the struct, and keeps no reference to it.
    unsafe { jpeg_std_error(&mut handlers) };
    handlers.error_exit = Some(fail);
    handlers.emit_message = Some(warn);
    handlers
}

fn empty() -> jpeg_error_mgr {
    jpeg_error_mgr {
        error_exit: None,
        emit_message: None,
        output_message: None,
        format_message: None,
        reset_error_mgr: None,
        msg_code: 0,
        msg_parm: mozjpeg_sys::msg_parm_union::default(),
        trace_level: 0,
        num_warnings: 0,
        jpeg_message_table: std::ptr::null(),
        last_jpeg_message: 0,
        addon_message_table: std::ptr::null(),
        first_addon_message: 0,
        last_addon_message: 0,
    }
}

extern "C-unwind" fn fail(state: &mut jpeg_common_struct) {
    resume_unwind(Box::new(Message(message(state))));
}

/// Negative levels are warnings, others are traces.
extern "C-unwind" fn warn(state: &mut jpeg_common_struct, level: c_int) {
    // SAFETY: libjpeg passes its own state, whose `err` is the struct that `strict` returned.
    let code = unsafe { (*state.err).msg_code };
    if level < 0 && !HARMLESS.contains(&code) {
        fail(state);
    }
}

fn message(state: &mut jpeg_common_struct) -> String {
    let mut buffer = [0u8; 80];
    // SAFETY: as in `warn`.
    if let Some(format) = unsafe { (*state.err).format_message } {
        // SAFETY: the function writes up to 80 bytes into the buffer, which the binding declares as read-only.
        unsafe { transmute::<FormatMessage, WritesMessage>(format)(state, &mut buffer) };
    }
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

type FormatMessage = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
type WritesMessage = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &mut [u8; 80]);
