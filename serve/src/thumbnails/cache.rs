//! Thumbnails on disk, found by the digest of the image. Bytes are only ever appended, so several servers can share the files.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::image_type::image_type;

/// Number of bytes of an entry of the index: the digest of the image, the position of its thumbnail, and its length.
const ENTRY: usize = 32 + 8 + 4;

/// Size of the file above which it is begun again at the next start, in bytes.
const LARGEST: u64 = 2 << 30;

/// Thumbnails on disk. Without files that can be written, nothing is kept.
pub(crate) struct ThumbnailCache {
    folder: PathBuf,
    files: Mutex<Option<Files>>,
}

struct Files {
    data: File,
    index: File,
    at: HashMap<[u8; 32], (u64, u32)>,
}

impl ThumbnailCache {
    /// Cache in a folder, which is opened when first needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, files: Mutex::new(None) }
    }

    /// Returns the thumbnail of an image.
    pub(super) fn get(&self, image: &[u8; 32]) -> Option<Vec<u8>> {
        self.with(|files| {
            let (at, size) = *files.at.get(image)?;
            let mut bytes = vec![0; size as usize];
            files.data.read_exact_at(&mut bytes, at).ok()?;
            image_type(&bytes).map(|_| bytes)
        })
    }

    /// Keeps the thumbnail of an image, if the disk has room.
    pub(super) fn put(&self, image: [u8; 32], thumbnail: &[u8]) {
        self.with(|files| files.append(image, thumbnail).ok());
    }

    fn with<T>(&self, act: impl FnOnce(&mut Files) -> Option<T>) -> Option<T> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.is_none() {
            *files = Files::open(&self.folder).ok();
        }
        act(files.as_mut()?)
    }
}

impl Files {
    fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let open =
            |name: &str| OpenOptions::new().create(true).append(true).read(true).open(folder.join(name));
        let (data, mut index) = (open("thumbnails")?, open("thumbnails.index")?);
        let size = data.metadata()?.len();
        let mut entries = Vec::new();
        index.read_to_end(&mut entries)?;
        // An entry that was not written to its end would shift those after it.
        if size > LARGEST || !entries.len().is_multiple_of(ENTRY) {
            index.set_len(0)?;
            data.set_len(0)?;
            entries.clear();
        }
        let at = entries.chunks_exact(ENTRY).filter_map(|entry| entry_of(entry, size)).collect();
        Ok(Self { data, index, at })
    }

    fn append(&mut self, image: [u8; 32], thumbnail: &[u8]) -> io::Result<()> {
        self.data.write_all(thumbnail)?;
        // Another server may have appended before: the position is where this write ended.
        let at = self.data.stream_position()? - thumbnail.len() as u64;
        let size = thumbnail.len() as u32;
        let entry = [&image[..], &at.to_le_bytes(), &size.to_le_bytes()].concat();
        self.index.write_all(&entry)?;
        self.at.insert(image, (at, size));
        Ok(())
    }
}

/// Reads an entry; `None` if its thumbnail is not within the file.
fn entry_of(entry: &[u8], file: u64) -> Option<([u8; 32], (u64, u32))> {
    let image = entry[..32].try_into().ok()?;
    let at = u64::from_le_bytes(entry[32..40].try_into().ok()?);
    let size = u32::from_le_bytes(entry[40..].try_into().ok()?);
    (at.checked_add(u64::from(size))? <= file).then_some((image, (at, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIF: &[u8] = b"GIF89a, a picture";

    #[test]
    fn thumbnails_are_found_again_by_this_server_and_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = ThumbnailCache::new(folder.path().join("new"));
        let other = ThumbnailCache::new(folder.path().join("new"));
        assert_eq!(cache.get(&[1; 32]), None);
        other.put([2; 32], b"GIF8 another");
        cache.put([1; 32], GIF);
        other.put([3; 32], b"GIF8 third");
        for cache in [cache, ThumbnailCache::new(folder.path().join("new"))] {
            assert_eq!(cache.get(&[1; 32]).as_deref(), Some(GIF));
        }
        assert_eq!(other.get(&[3; 32]).as_deref(), Some(&b"GIF8 third"[..]));
    }

    #[test]
    fn damaged_files_are_begun_again_and_never_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = || ThumbnailCache::new(folder.path().to_owned());
        cache().put([1; 32], GIF);
        let index = folder.path().join("thumbnails.index");
        let data = folder.path().join("thumbnails");
        let whole = fs::read(&index).expect("an index");
        fs::write(&index, &whole[..ENTRY - 1]).expect("written");
        assert_eq!(cache().get(&[1; 32]), None);
        assert_eq!(fs::metadata(&data).expect("a file").len(), 0);
        cache().put([1; 32], GIF);
        assert_eq!(cache().get(&[1; 32]).as_deref(), Some(GIF));
        fs::write(&data, "no picture at all, but long enough").expect("written");
        assert_eq!(cache().get(&[1; 32]), None);
        fs::write(&data, "short").expect("written");
        assert_eq!(cache().get(&[1; 32]), None);
        cache().put([1; 32], GIF);
        assert_eq!(cache().get(&[1; 32]).as_deref(), Some(GIF));
        let readonly = ThumbnailCache::new(PathBuf::from("/proc/no folder"));
        readonly.put([1; 32], GIF);
        assert_eq!(readonly.get(&[1; 32]), None);
    }
}
