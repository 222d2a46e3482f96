//! Raw footage: videos, and folders of images, which are treated as videos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use callsheet_worker::protocol::RequestInput;

use crate::lib::picture::{is_image, read};
use crate::lib::video::{Decoding, Index, decode, index, places};

/// A video, or the images of a folder in the order of their names.
pub(super) struct Footage {
    /// Path relative to the dataset's folder; `.` for images directly in it.
    pub name: String,
    /// Times of its frames, and its key frames.
    pub index: Index,
    /// Names and paths of the images, one per frame; empty for a video.
    images: Vec<(String, PathBuf)>,
    path: PathBuf,
}

impl Footage {
    /// Finds all footage, sorted by name. Successive images are `image_seconds` apart.
    ///
    /// # Errors
    /// Returns an error if a file is not a video, or has no frame.
    pub(super) fn of(files: &RequestInput, image_seconds: f64) -> Result<Vec<Self>> {
        let (mut footage, mut folders) = (Vec::new(), BTreeMap::<String, Vec<(String, PathBuf)>>::new());
        for (name, path) in files.names.iter().zip(&files.paths) {
            let path = path.to_path_buf();
            if is_image(Path::new(name)) {
                let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
                folders.entry(folder.to_owned()).or_default().push((name.clone(), path));
            } else {
                footage.push(Self { name: name.clone(), index: index(&path)?, images: Vec::new(), path });
            }
        }
        for (name, images) in folders {
            let times = (0..images.len()).map(|position| position as f64 * image_seconds).collect();
            let index = Index { times, keys: vec![true; images.len()] };
            footage.push(Self { name, index, images, path: PathBuf::new() });
        }
        footage.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(footage)
    }

    /// Returns the key of the frame at a position, and the name of the file that contains it.
    pub(super) fn frame(&self, position: usize) -> (String, &str) {
        match self.images.get(position) {
            Some((image, _)) => (image.clone(), image),
            None => (format!("{}#{position:06}", self.name), &self.name),
        }
    }

    /// Returns the positions of the frames that can be decoded, ascending.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read at all.
    pub(super) fn readable(&self) -> Result<Vec<usize>> {
        if !self.images.is_empty() {
            let readable = |path: &PathBuf| -> Result<bool> {
                let bytes =
                    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
                Ok(read(&bytes, path).is_ok())
            };
            let mut positions = Vec::new();
            for (position, (_, path)) in self.images.iter().enumerate() {
                if readable(path)? {
                    positions.push(position);
                }
            }
            return Ok(positions);
        }
        let how = Decoding { height: 16, skip_damaged: true, ..Decoding::default() };
        let decoded = decode(&self.path, &how, |_| Ok(()))?;
        Ok(sorted(places(&self.index.times, &decoded.frames)))
    }

    /// Returns the positions of the first frame, and of frames that differ from the preceding one by more
    /// than `threshold`, as scored by ffmpeg's select filter (0..1).
    ///
    /// # Errors
    /// Returns an error if ffmpeg cannot be started.
    pub(super) fn scene_changes(&self, job: &Job, threshold: f64) -> Result<Vec<usize>> {
        if !self.images.is_empty() {
            job.warn(format!(
                "{}: scene changes are not detected between image files, so all images are used",
                self.name
            ));
            return Ok((0..self.images.len()).collect());
        }
        let decoded = decode(&self.path, &Decoding::scenes(threshold), |_| Ok(()))?;
        Ok(sorted(places(&self.index.times, &decoded.frames)))
    }
}

fn sorted(places: Vec<Option<usize>>) -> Vec<usize> {
    let mut positions: Vec<usize> = places.into_iter().flatten().collect();
    positions.sort_unstable();
    positions
}
