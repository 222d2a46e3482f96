//! Secret of the server. The codes in its links and the cookie of a browser are derived from it, so that they cannot be
//! guessed, and stay valid when the server is started again.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// Number of random bytes in a code.
const NONCE: usize = 8;

/// 256 random bits.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// Reads the secret in the file `path`. A new one is written there if the file does not exist or is damaged, readable by
    /// its owner only.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if let Some(secret) = Self::read(path)? {
            return Ok(secret);
        }
        let new = Self::new()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        // Temporary files have the mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).io_context("cannot write in", folder)?;
        file.write_all(HEXLOWER.encode(&new.0).as_bytes()).io_context("cannot write", path)?;
        // Another server that starts at the same time may have written one; the last one counts for both.
        file.persist(path).map_err(|error| error.error).io_context("cannot write", path)?;
        Ok(Self::read(path)?.unwrap_or(new))
    }

    /// Reads the secret in the file `path`; `None` if it does not exist or is damaged.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.io_context("cannot read", path)?,
        };
        Ok(HEXLOWER.decode(&text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self))
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

    /// Returns the time at which a code was made with this secret, in seconds since 1970; `None` for other texts.
    pub(crate) fn made(&self, code: &str) -> Option<u64> {
        let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).ok()?;
        let (signed, mac) = bytes.split_at_checked(size_of::<u64>() + NONCE)?;
        let mac = <[u8; blake3::OUT_LEN]>::try_from(mac).ok()?;
        // blake3 compares hashes in constant time.
        let is_own = self.mac("link", signed) == blake3::Hash::from_bytes(mac);
        signed.first_chunk().filter(|_| is_own).map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// Returns the value of the cookie of every browser that opened a link.
    pub(crate) fn cookie(&self) -> String {
        self.mac("cookie", &[]).to_hex().to_string()
    }

    /// Returns true if a browser sent the right cookie.
    pub(crate) fn is_cookie(&self, value: &str) -> bool {
        blake3::Hash::from_hex(value).is_ok_and(|value| value == self.mac("cookie", &[]))
    }

    fn mac(&self, purpose: &str, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(purpose.as_bytes()).update(&[0]).update(bytes);
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
    fn a_code_is_valid_only_with_its_secret() {
        let (secret, other) = (Secret::new().expect("random"), Secret::new().expect("random"));
        let now = 1_795_000_000;
        let code = secret.code(now).expect("random");
        assert_eq!((secret.made(&code), other.made(&code)), (Some(now), None));
        assert_ne!(code, secret.code(now).expect("random"));
        for wrong in ["", "AAAA", "ä", &code[1..], &format!("{code}A"), &code.replace(&code[..4], "AAAB")] {
            assert_eq!(secret.made(wrong), None, "{wrong}");
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
