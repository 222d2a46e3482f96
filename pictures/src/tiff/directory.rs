//! First directory of a TIFF: the entries, one for each tag, and the place of the next directory.

struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// Size of offsets, of the number of entries, and of an entry, in bytes.
    sizes: [usize; 3],
}

/// Returns true if a TIFF has more than one picture. False if the file is too short.
pub(crate) fn has_second_page(bytes: &[u8]) -> bool {
    let directory = Directory::of(bytes);
    let [offset, _, entry] = directory.sizes;
    let next = || {
        let (first, entries) = directory.entries()?;
        directory.number(first.checked_add(entries.checked_mul(entry)?)?, offset)
    };
    next().is_some_and(|next| next != 0)
}

/// Position of the value of a tag in the file, if it is in the first directory.
pub(super) fn position(bytes: &[u8], tag: u16) -> Option<usize> {
    let directory = Directory::of(bytes);
    let [offset, _, entry] = directory.sizes;
    let (first, entries) = directory.entries()?;
    let tags = (first..bytes.len()).step_by(entry).take(entries);
    let found = tags.into_iter().find(|at| directory.number(*at, 2) == Some(usize::from(tag)))?;
    // The tag, the type and the number of values precede the value.
    Some(found + 4 + offset)
}

impl<'a> Directory<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        // The fields of BigTIFF, version 43, are twice as wide.
        let wide = bytes.get(2..4).is_some_and(|version| version.contains(&43));
        let sizes = if wide { [8, 8, 20] } else { [4, 2, 12] };
        Self { bytes, big_endian: bytes.starts_with(b"MM"), sizes }
    }

    /// Position of the first entry, and number of entries.
    fn entries(&self) -> Option<(usize, usize)> {
        let [offset, count, _] = self.sizes;
        let first = self.number(offset, offset)?;
        Some((first.checked_add(count)?, self.number(first, count)?))
    }

    fn number(&self, at: usize, length: usize) -> Option<usize> {
        let field = self.bytes.get(at..at.checked_add(length)?)?;
        let append = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
        Some(match self.big_endian {
            true => field.iter().fold(0, append),
            false => field.iter().rev().fold(0, append),
        })
    }
}
