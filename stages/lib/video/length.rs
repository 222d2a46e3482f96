//! Check of containers that do not store the number of their frames: the file must not end within a frame.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Number of bytes of the longest page of an Ogg file.
const PAGE: u64 = 65_307;

/// Bit of a page's flags: it is the last one of its stream.
const LAST: u8 = 4;

/// Returns the reason, in a few words, if the container shows that the end of a file is missing. `frame` is the
/// size of the first frame in bytes.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(super) fn cut_off(path: &Path, codec: &str, frame: usize) -> Result<Option<String>> {
    let reason = || -> std::io::Result<Option<&str>> {
        let mut file = BufReader::new(File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let (mut start, frame) = ([0; 10], frame as u64);
        file.read_exact(&mut start)?;
        let within_frame = match &start {
            b"YUV4MPEG2 " => ends_within_y4m(&mut file, length, frame)?,
            [0x1f, 0x07, 0x00, ..] if codec == "dvvideo" => !length.is_multiple_of(frame),
            [b'O', b'g', b'g', b'S', ..] => {
                return Ok((!ends_with_last_page(&mut file, length)?).then_some("its last page is missing"));
            }
            _ => false,
        };
        Ok(within_frame.then_some("it ends within a frame"))
    };
    let reason = reason().with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(reason.map(str::to_owned))
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

/// True if an Ogg file ends with a complete page that is marked as the last one of its stream.
fn ends_with_last_page(file: &mut BufReader<File>, length: u64) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(length.saturating_sub(PAGE)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let Some(page) = end.windows(5).rposition(|bytes| bytes == b"OggS\0").map(|at| &end[at..]) else {
        return Ok(false);
    };
    let (Some(flags), Some(segments)) = (page.get(5), page.get(26)) else { return Ok(false) };
    let Some(sizes) = page.get(27..27 + usize::from(*segments)) else { return Ok(false) };
    let size = 27 + sizes.len() + sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
    Ok(flags & LAST != 0 && page.len() >= size)
}
