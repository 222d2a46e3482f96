//! Raw footage: videos, and folders of images that count as a video each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use callsheet_worker::protocol::RequestInput;

use crate::lib::picture::{is_image, read};
use crate::lib::video::{Decoding, Index, decode, index, places};

/// A video, or the images of a folder in the order of their names.
pub(super) struct Footage {
    /// Name below the dataset's folder; `.` for images that lie in it.
    pub name: String,
    /// When its frames are, and which can be decoded alone.
    pub index: Index,
    /// Names and paths of the images, one a frame; none if it is a video.
    images: Vec<(String, PathBuf)>,
    path: PathBuf,
}

impl Footage {
    /// All that there is, by name. An image follows the one before it by `image_seconds`.
    ///
    /// # Errors
    /// When a file is no video or has no frame.
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

    /// Key of the frame at a position, and the file that it is in.
    pub(super) fn frame(&self, position: usize) -> (String, &str) {
        match self.images.get(position) {
            Some((image, _)) => (image.clone(), image),
            None => (format!("{}#{position:06}", self.name), &self.name),
        }
    }

    /// Positions of the frames that can be decoded, ascending.
    ///
    /// # Errors
    /// When a file cannot be read at all.
    pub(super) fn readable(&self) -> Result<Vec<usize>> {
        if !self.images.is_empty() {
            let readable = |path: &PathBuf| -> Result<bool> {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
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

    /// Positions of the first frame and of those that differ from the one before by more than `threshold`,
    /// as ffmpeg's select filter scores it (0..1).
    ///
    /// # Errors
    /// When ffmpeg cannot be started.
    pub(super) fn scene_changes(&self, job: &Job, threshold: f64) -> Result<Vec<usize>> {
        if !self.images.is_empty() {
            job.warn(format!("{}: images have no scene changes, all are taken", self.name));
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
