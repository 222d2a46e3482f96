//! Bytes of a file that holds pickles, in order.

/// Bytes that are read in order.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// Number of bytes that were read.
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("it ends")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it ends".to_owned())
    }

    /// Text up to the end of its line.
    ///
    /// # Errors
    /// When the line does not end.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let length = self.bytes[self.at..].iter().position(|b| *b == b'\n').ok_or("it ends")?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text)
    }

    /// As many bytes as the number before them says, which has `width` bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub(crate) fn sized(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.take(width)?.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.take(usize::try_from(length).map_err(|_| "it ends")?)
    }
}
