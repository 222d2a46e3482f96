//! Reader for a file that contains pickles.

/// Bytes that are read in order.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// Number of bytes read so far.
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader at the first byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the next `count` bytes.
    ///
    /// # Errors
    /// Returns an error if fewer bytes are left.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end =
            self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("it is truncated")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// Returns the next `N` bytes.
    ///
    /// # Errors
    /// Returns an error if fewer bytes are left.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it is truncated".to_owned())
    }

    /// Returns the text up to the end of its line.
    ///
    /// # Errors
    /// Returns an error if the line does not end.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let length = self.bytes[self.at..].iter().position(|b| *b == b'\n').ok_or("it is truncated")?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text)
    }

    /// Returns the bytes after a length, which has `width` bytes.
    ///
    /// # Errors
    /// Returns an error if fewer bytes are left.
    pub(crate) fn sized(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.take(width)?.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.take(usize::try_from(length).map_err(|_| "it is truncated")?)
    }
}
