//! Raw footage: videos, and folders of images, which are treated as videos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use callsheet_worker::protocol::RequestInput;

use crate::lib::names::{is_hidden, natural};
use crate::lib::picture::{is_image, read};
use crate::lib::video::{
    Decoding, Index, damage_of_shown, damaged, decode, index, intact_parts, pauses, places,
};

/// A video, or the images of a folder in the natural order of their names.
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
    /// Finds all footage, sorted by name, without hidden copies. Successive images are `image_seconds` apart.
    ///
    /// # Errors
    /// Returns an error if a file is not a video, or has no frame.
    pub(super) fn of(files: &RequestInput, image_seconds: f64) -> Result<Vec<Self>> {
        let (mut footage, mut folders) = (Vec::new(), BTreeMap::<String, Vec<(String, PathBuf)>>::new());
        let named = files.names.iter().zip(&files.paths);
        for (name, path) in named.filter(|(name, _)| !is_hidden(Path::new(name))) {
            let path = path.to_path_buf();
            if is_image(Path::new(name)) {
                let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
                folders.entry(folder.to_owned()).or_default().push((name.clone(), path));
            } else {
                footage.push(Self { name: name.clone(), index: index(&path)?, images: Vec::new(), path });
            }
        }
        for (name, mut images) in folders {
            images.sort_by(|(a, _), (b, _)| natural(a, b));
            let times = (0..images.len()).map(|position| position as f64 * image_seconds).collect();
            let index = Index { times, keys: vec![true; images.len()], ..Index::default() };
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

    /// Warns if the times are computed or frames may be missing. Refuses a container that is damaged unless
    /// `skip_damaged` is set. The check does not decode.
    ///
    /// # Errors
    /// Returns an error if the container is damaged.
    pub(super) fn check(&self, job: &Job, skip_damaged: bool) -> Result<()> {
        if self.index.numbered {
            job.warn(format!(
                "`{}` does not store when its frames are shown: their times follow from its frame rate",
                self.name
            ));
        }
        if self.index.open_end {
            job.warn(format!(
                "the last page of `{}` is not marked as the end of its stream: frames at the end may be missing",
                self.name
            ));
        }
        let pauses = if self.images.is_empty() { pauses(&self.index) } else { Vec::new() };
        if let Some((before, after)) = pauses.first() {
            job.warn(format!(
                "`{}` has no frame between {before:.3} s and {after:.3} s, but a constant rate otherwise ({}): frames \
                 may be missing",
                self.name,
                if pauses.len() == 1 { "one such gap".to_owned() } else { format!("{} such gaps", pauses.len()) }
            ));
        }
        match &self.index.damage {
            Some(damage) if !skip_damaged => Err(damaged(&self.path, damage)),
            _ => Ok(()),
        }
    }

    /// Returns the positions of the frames that can be decoded, ascending. Returns none if all can be decoded
    /// and the file is whole.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read at all.
    pub(super) fn readable(&self) -> Result<Option<Vec<usize>>> {
        if !self.images.is_empty() {
            return self.readable_images();
        }
        let decoded = decode(&self.path, &self.how(Decoding::check()), |_| Ok(()))?;
        if damage_of_shown(&self.path, &self.index, &decoded)?.is_none() {
            return Ok(None);
        }
        let parts = intact_parts(&self.path, &self.index)?;
        Ok(Some(sorted(parts.into_iter().flat_map(|part| part.positions))))
    }

    fn readable_images(&self) -> Result<Option<Vec<usize>>> {
        let mut positions = Vec::new();
        for (position, (_, path)) in self.images.iter().enumerate() {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            if read(&bytes, path).is_ok() {
                positions.push(position);
            }
        }
        Ok((positions.len() < self.images.len()).then_some(positions))
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
        self.found(Decoding::scenes(threshold))
    }

    /// Returns the positions of frames that decode without other frames.
    ///
    /// # Errors
    /// Returns an error if ffmpeg cannot be started.
    pub(super) fn key_frames(&self) -> Result<Vec<usize>> {
        if self.index.numbered {
            // Packets do not show which frames come between a key frame and its display.
            return self.found(Decoding::keys());
        }
        Ok((0..self.index.keys.len()).filter(|position| self.index.keys[*position]).collect())
    }

    /// Returns the positions of the frames that a decoding lists.
    fn found(&self, how: Decoding) -> Result<Vec<usize>> {
        let decoded = decode(&self.path, &self.how(how), |_| Ok(()))?;
        Ok(sorted(places(&self.index.times, &decoded.frames)))
    }

    fn how(&self, how: Decoding) -> Decoding {
        Decoding { counted_times: self.index.counted_times(), ..how }
    }
}

fn sorted(places: impl IntoIterator<Item = Option<usize>>) -> Vec<usize> {
    let mut positions: Vec<usize> = places.into_iter().flatten().collect();
    positions.sort_unstable();
    positions
}
