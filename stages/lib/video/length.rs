//! Check of containers that do not store the number of their frames: the file must not end within a frame.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Number of bytes of the longest page of an Ogg file.
const PAGE: u64 = 65_307;

/// Bit of a page's flags: it is the last one of its stream.
const LAST: u8 = 4;

/// End of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// It shows no damage.
    Whole,
    WithinFrame,
    WithinPage,
    /// The last page of an Ogg file is whole, but is not the end of its stream. Recorders that are stopped write no mark.
    Unmarked,
}

impl End {
    /// Damage in a few words.
    pub(super) fn damage(self) -> Option<String> {
        match self {
            Self::Whole | Self::Unmarked => None,
            Self::WithinFrame => Some("it ends within a frame".to_owned()),
            Self::WithinPage => Some("it ends within a page of Ogg".to_owned()),
        }
    }
}

/// Returns the kind of a file's end. `frame` is the size of the first frame in bytes.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(super) fn end(path: &Path, codec: &str, frame: usize) -> Result<End> {
    let end = || -> std::io::Result<End> {
        let mut file = BufReader::new(File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let (mut start, frame) = ([0; 10], frame as u64);
        file.read_exact(&mut start)?;
        let within_frame = match &start {
            b"YUV4MPEG2 " => ends_within_y4m(&mut file, length, frame)?,
            [0x1f, 0x07, 0x00, ..] if codec == "dvvideo" => !length.is_multiple_of(frame),
            [b'O', b'g', b'g', b'S', ..] => return end_of_ogg(&mut file, length),
            _ => false,
        };
        Ok(if within_frame { End::WithinFrame } else { End::Whole })
    };
    end().with_context(|| format!("cannot read `{}`", path.display()))
}

/// True if a file of YUV4MPEG2, whose first bytes were read, ends within a frame: each frame follows a line.
fn ends_within_y4m(file: &mut BufReader<File>, length: u64, frame: u64) -> std::io::Result<bool> {
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        file.seek_relative(frame as i64)?;
        if line.last() != Some(&b'\n') || file.stream_position()? > length {
            return Ok(true);
        }
    }
}

/// Returns the kind of an Ogg file's end.
fn end_of_ogg(file: &mut BufReader<File>, length: u64) -> std::io::Result<End> {
    file.seek(SeekFrom::Start(length.saturating_sub(PAGE)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let page = end.windows(5).rposition(|bytes| bytes == b"OggS\0").map(|at| &end[at..]);
    let flags_of_whole = |page: &[u8]| {
        let sizes = page.get(27..27 + usize::from(*page.get(26)?))?;
        let size = 27 + sizes.len() + sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
        (page.len() >= size).then_some(page[5])
    };
    Ok(match page.and_then(flags_of_whole) {
        None => End::WithinPage,
        Some(flags) if flags & LAST == 0 => End::Unmarked,
        Some(_) => End::Whole,
    })
}
