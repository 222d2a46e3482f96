//! BLAKE3 hashes, which identify actions, contents and rows.

use std::fmt;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Number of hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// A BLAKE3 hash. Its text form has 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// First 12 hexadecimal digits, for display.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }

    /// Writes the text form into `text`.
    fn text<'t>(&self, text: &'t mut [u8; DIGITS]) -> &'t str {
        HEXLOWER.encode_mut_str(&self.0, text)
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; DIGITS]))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; DIGITS]))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Hex)
    }
}

struct Hex;

impl Visitor<'_> for Hex {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hexadecimal digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
        let mut bytes = [0; 32];
        if text.len() != DIGITS {
            return Err(E::invalid_length(text.len(), &self));
        }
        match HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes) {
            Ok(_) => Ok(Digest(bytes)),
            Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_digest_is_that_of_blake3_and_leads_back_to_the_digest() {
        let hash = blake3::hash(b"content");
        let digest = Digest::from(hash);
        assert_eq!(digest.to_string(), hash.to_hex().as_str());
        let text = serde_json::to_string(&digest).expect("a text");
        assert_eq!(serde_json::from_str::<Digest>(&text).expect("read"), digest);
        assert_eq!(serde_json::from_str::<Digest>(&text.to_uppercase()).expect("read"), digest);
    }

    #[test]
    fn a_text_that_is_not_a_digest_is_refused() {
        for text in ["", "00", &"g".repeat(64), &"ä".repeat(32), &"0".repeat(63), &"0".repeat(65)] {
            let error = serde_json::from_value::<Digest>(text.into()).expect_err("refused").to_string();
            assert!(error.contains("64 hexadecimal digits"), "{text}: {error}");
        }
    }
}
