//! Errors of libjpeg as panics without a message on the terminal, which [`super::decode`] catches.

use std::ffi::c_int;
use std::mem::transmute;
use std::panic::resume_unwind;
use std::slice;

use mozjpeg_sys::{
    JWRN_ADOBE_XFORM, JWRN_EXTRANEOUS_DATA, JWRN_JFIF_MAJOR, JWRN_NOT_SEQUENTIAL, jpeg_common_struct,
    jpeg_decompress_struct, jpeg_error_mgr, jpeg_std_error,
};

/// Payload of the panic: libjpeg's message.
pub(super) struct Message(pub String);

/// Warnings about headers of harmless files: unknown versions of JFIF and of Adobe's marker, and parameters of a scan
/// that sequential files do not use.
const HARMLESS: [c_int; 3] =
    [JWRN_ADOBE_XFORM as c_int, JWRN_JFIF_MAJOR as c_int, JWRN_NOT_SEQUENTIAL as c_int];

/// Marker of the end of an image.
const END: u32 = 0xd9;

/// Largest number of arbitrary bytes before the end marker that are not regarded as unread data of the picture.
const MOST_STRAY: usize = 16;

/// Number of bytes that are compared with the skipped bytes behind them: more than libjpeg reads ahead.
const BEFORE: usize = 16;

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
    let stray = code == JWRN_EXTRANEOUS_DATA as c_int && is_stray(state);
    if level < 0 && !stray && !HARMLESS.contains(&code) {
        fail(state);
    }
}

/// Returns true if the bytes that libjpeg skipped stand before the end marker, and are few or fill a gap with one value.
/// Other bytes can be unread data of a picture that is shifted.
fn is_stray(state: &jpeg_common_struct) -> bool {
    // SAFETY: as in `warn`. The first parameters of the warning are the number of bytes and the marker.
    let [count, marker, ..] = unsafe { (*state.err).msg_parm._bindgen_data_ };
    let count = count as usize;
    if marker != END || count <= MOST_STRAY {
        return marker == END;
    }
    // SAFETY: only decompression emits the warning. Its source is the whole file, in which the skipped bytes and the
    // picture's last bytes precede the present position.
    let skipped = unsafe {
        let state = &*(&raw const *state).cast::<jpeg_decompress_struct>();
        let length = count + BEFORE;
        slice::from_raw_parts((*state.src).next_input_byte.sub(length), length)
    };
    let is_fill = |byte: &u8| *byte == skipped[BEFORE];
    // A gap that begins in the data of the picture was zeroed.
    skipped[BEFORE..].iter().all(is_fill) && !skipped[..BEFORE].iter().all(is_fill)
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
