//! Content that is embedded in a page, so that the page is self-contained.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

/// Data URI of a picture or a film, for `src`.
pub fn data_uri(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", BASE64.encode(bytes))
}

/// Source expression that allows one script or style with this text in a Content-Security-Policy.
pub fn source_of(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_texts_are_in_base64() {
        assert_eq!(data_uri("image/png", b"\x89PNG"), "data:image/png;base64,iVBORw==");
        // Example from W3C Content Security Policy Level 3, section 8.3.
        let wanted = "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='";
        assert_eq!(source_of("doSomething();"), wanted);
    }
}
