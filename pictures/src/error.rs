//! Reasons why an image file is refused.

use std::fmt;

use crate::format::{FORMATS, LARGEST_SIDE, MOST_MEGAPIXELS};

/// Reason why an image file is refused. `Display` continues a sentence that begins with the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The file has no bytes.
    Empty,
    /// The file has another format, such as `a GIF image`; nothing if the format is unknown.
    Unsupported(Option<&'static str>),
    /// Data are missing, or contradict themselves; with the decoder's message.
    Damaged(String),
    /// The image has more pixels than are read: width and height.
    TooLarge(u32, u32),
    /// The format is supported, but not this variant of it; with a description of the variant.
    Variant(String),
}

impl DecodeError {
    /// Remedy for a user who has the file.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Empty => "replace the file with a PNG, JPEG, WebP or TIFF image, or remove the file",
            Self::Unsupported(_) | Self::Variant(_) => {
                "convert the image to PNG, JPEG, WebP or TIFF, or remove the file"
            }
            Self::Damaged(_) => {
                "fetch or copy the file again, or remove the file; if the image looks right, save it again \
                 with an image editor"
            }
            Self::TooLarge(..) => "reduce the size of the image, or cut it into parts, or remove the file",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Empty => write!(out, "is unreadable: the file is empty"),
            Self::Unsupported(Some(name)) => {
                write!(out, "is not supported: the file is {name}, but must be {FORMATS}")
            }
            Self::Unsupported(None) => write!(out, "is not a {FORMATS} image"),
            Self::Damaged(why) => write!(out, "is damaged: {why}"),
            Self::TooLarge(width, height) => {
                let megapixels = u64::from(*width) * u64::from(*height) / 1_000_000;
                write!(
                    out,
                    "is too large: {width}x{height} pixels ({megapixels} megapixels); the limit is \
                     {MOST_MEGAPIXELS} megapixels and {LARGEST_SIDE} pixels per side"
                )
            }
            Self::Variant(what) => write!(out, "is not supported: {what}"),
        }
    }
}

impl std::error::Error for DecodeError {}
