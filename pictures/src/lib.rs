//! Decoding of image files from unknown sources, for every program of this project.
//!
//! | module | content |
//! |---|---|
//! | [`decode`] | pixels as viewers show them; damaged files are refused |
//! | [`format`] | supported formats, and names of others, by the first bytes of a file |
//! | [`error`] | reasons why a file is refused, each with a remedy |

mod complete;
pub mod decode;
pub mod error;
pub mod format;
mod jpeg;
mod limits;
#[cfg(test)]
mod tests;
mod tiff;
mod traits;

pub use decode::decode;
pub use error::DecodeError;
pub use format::{Format, is_image};
pub use traits::Traits;
