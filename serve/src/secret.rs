//! Secret of the server. The codes in its links and the cookie of a browser are derived from it, so that they cannot be
//! guessed, and stay valid when the server is started again.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// Seconds in which a link can be opened.
pub(crate) const LINK_SECONDS: u64 = 3600;

/// Number of random bytes in a code.
const NONCE: usize = 8;

/// 256 random bits.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// Reads the secret in the file `path`. A new one is written there if the file does not exist, readable by its owner
    /// only.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let new = Self::new()?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                file.write_all(HEXLOWER.encode(&new.0).as_bytes()).io_context("cannot write", path)?;
                return Ok(new);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).io_context("cannot write", path),
        }
        let text = fs::read(path).io_context("cannot read", path)?;
        let bytes = HEXLOWER.decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        if let Some(bytes) = bytes {
            return Ok(Self(bytes));
        }
        // A damaged secret is replaced; browsers that were opened with it need a new link.
        fs::remove_file(path).io_context("cannot remove", path)?;
        Self::open(path)
    }

    /// Returns a new secret.
    ///
    /// # Errors
    /// Returns an error if the system provides no random numbers.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(random()?))
    }

    /// Returns a new code for a link that is printed `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Returns an error if the system provides no random numbers.
    pub(crate) fn code(&self, now: u64) -> Result<String> {
        let nonce: [u8; NONCE] = random()?;
        let mut code = [&now.to_be_bytes()[..], &nonce].concat();
        let mac = self.mac("link", &code);
        code.extend(mac.as_bytes());
        Ok(BASE64URL_NOPAD.encode(&code))
    }

    /// Returns true if this server or its predecessor made the code less than an hour ago.
    pub(crate) fn is_code(&self, code: &str, now: u64) -> bool {
        let Ok(bytes) = BASE64URL_NOPAD.decode(code.as_bytes()) else { return false };
        let Some((signed, mac)) = bytes.split_at_checked(size_of::<u64>() + NONCE) else { return false };
        let Ok(mac) = <[u8; blake3::OUT_LEN]>::try_from(mac) else { return false };
        let made = signed.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        // blake3 compares hashes in constant time.
        self.mac("link", signed) == blake3::Hash::from_bytes(mac) && now.abs_diff(made) < LINK_SECONDS
    }

    /// Returns the value of the cookie of every browser that opened a link.
    pub(crate) fn cookie(&self) -> String {
        self.mac("cookie", &[]).to_hex().to_string()
    }

    /// Returns true if a browser sent the right cookie.
    pub(crate) fn is_cookie(&self, value: &str) -> bool {
        blake3::Hash::from_hex(value).is_ok_and(|value| value == self.mac("cookie", &[]))
    }

    fn mac(&self, use_: &str, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(use_.as_bytes()).update(&[0]).update(bytes);
        hasher.finalize()
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other).io_context("cannot read", "random numbers")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_code_is_valid_for_an_hour_and_only_with_its_secret() {
        let (secret, other) = (Secret::new().expect("random"), Secret::new().expect("random"));
        let now = 1_795_000_000;
        let code = secret.code(now).expect("random");
        assert!(secret.is_code(&code, now) && secret.is_code(&code, now + 3599));
        assert!(!secret.is_code(&code, now + 3600) && !other.is_code(&code, now));
        assert_ne!(code, secret.code(now).expect("random"));
        for wrong in ["", "AAAA", "ä", &code[1..], &format!("{code}A"), &code.replace(&code[..4], "AAAB")] {
            assert!(!secret.is_code(wrong, now), "{wrong}");
        }
        assert!(
            secret.is_cookie(&secret.cookie()) && !secret.is_cookie(&other.cookie()) && !secret.is_cookie("")
        );
    }

    #[test]
    fn the_secret_is_readable_by_its_owner_only_and_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let cookie = Secret::open(&path).expect("written").cookie();
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(Secret::open(&path).expect("read").cookie(), cookie);
        fs::write(&path, "damaged").expect("written");
        assert_ne!(Secret::open(&path).expect("replaced").cookie(), cookie);
    }
}
