//! Scenes of a study: content images and the styles in which they are shown.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::user_error;
use rand::seq::IndexedRandom;

use crate::lib::columns::read_strings;
use crate::lib::data::spread;
use crate::lib::random::stream;

/// Content image that is shown in a style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scene {
    /// Image id of the content.
    pub content: String,
    /// Image id of the style.
    pub style: String,
}

/// Image of the split `val`.
struct Image {
    id: String,
    frame: String,
}

/// Images of the split `val`.
pub(super) struct Val(Vec<Image>);

impl Val {
    /// Reads the table of pairs.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or lacks a column of pairs.
    pub(super) fn read(pairs: &Path) -> Result<Self> {
        let rows = read_columns(pairs, &["image_id", "frame_id", "split"])?;
        let frames = read_strings(&rows, "frame_id")?.into_iter().zip(read_strings(&rows, "split")?);
        let images = read_strings(&rows, "image_id")?.into_iter().zip(frames);
        let val = images.filter(|(_, (_, split))| split == "val");
        Ok(Self(val.map(|(id, (frame, _))| Image { id, frame }).collect()))
    }

    /// Returns up to `count` contents, evenly spread. The style of each is drawn for `purpose`, from images
    /// of other frames if there are any.
    ///
    /// # Errors
    /// Returns an error if there are fewer than two images.
    pub(super) fn scenes(&self, count: usize, seed: i64, purpose: &str) -> Result<Vec<Scene>> {
        let Self(images) = self;
        let [_, _, ..] = images[..] else {
            return Err(user_error(
                format!("there are {} validation images, but a scene needs two", images.len()),
                "set list_images.val_fraction, or split_pairs, so that there are two validation images",
            ));
        };
        let scene = |(n, content): (usize, usize)| {
            let Image { id, frame } = &images[content];
            let of = |other: &dyn Fn(&Image) -> bool| -> Vec<&str> {
                images.iter().filter(|image| other(image)).map(|image| image.id.as_str()).collect()
            };
            let mut styles = of(&|image| image.frame != *frame);
            if styles.is_empty() {
                styles = of(&|image| image.id != *id);
            }
            let style = styles.choose(&mut stream(seed, purpose, n as u64))?;
            Some(Scene { content: id.clone(), style: (*style).to_owned() })
        };
        Ok(spread(images.len(), count).into_iter().enumerate().filter_map(scene).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn val(images: &[(&str, &str)]) -> Val {
        Val(images.iter().map(|(id, frame)| Image { id: (*id).into(), frame: (*frame).into() }).collect())
    }

    #[test]
    fn styles_are_of_other_frames_or_at_least_of_other_images() {
        let scenes = val(&[("a", "1"), ("b", "1"), ("c", "2")]).scenes(9, 0, "style").expect("scenes");
        assert_eq!(scenes.iter().map(|scene| scene.content.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(scenes[0].style == "c" && scenes[1].style == "c" && scenes[2].style != "c", "{scenes:?}");
        let scenes = val(&[("a", "1"), ("b", "1")]).scenes(2, 0, "style").expect("scenes");
        assert!(scenes[0].style == "b" && scenes[1].style == "a", "{scenes:?}");
        for few in [&[][..], &[("a", "1")]] {
            assert!(val(few).scenes(1, 0, "style").is_err());
        }
    }
}
