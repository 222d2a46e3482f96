//! Style codes, and the properties of their images.

pub(crate) mod factors;
#[cfg(test)]
pub(crate) mod fixtures;
mod points;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::table::{read_batches, read_columns};
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use rayon::prelude::*;

use crate::lib::columns::{read_images, read_int32s, read_strings, read_vectors};
use crate::lib::data::spread;
use crate::lib::picture::decode;
pub(crate) use points::{Points, smallest};

/// Number of images that are decoded together.
const BATCH: usize = 64;

/// Codes of images, in the order of their table.
pub(crate) struct Codes {
    /// Row keys of the images.
    pub image_ids: Vec<String>,
    /// Frame of each image.
    pub frame_ids: Vec<String>,
    /// Index of each image's crop in its frame.
    pub crops: Vec<i32>,
    /// Split of each image: `train`, `val` or `test`.
    pub splits: Vec<String>,
    /// Style codes.
    pub points: Points,
}

impl Codes {
    /// Reads a table of embed_styles, and the properties of its images from a table of pairs.
    ///
    /// # Errors
    /// Returns an error if there is no code, a code is not finite, or an image is not among the pairs.
    pub(crate) fn read(embeddings: &Path, pairs: &Path) -> Result<Self> {
        let rows = read_columns(embeddings, &["image_id", "z"])?;
        let (image_ids, values) = (read_strings(&rows, "image_id")?, read_vectors(&rows, "z")?);
        if values.is_empty() {
            let message = format!("there is no style code in `{}`", embeddings.display());
            return Err(user_error(message, "wire embed_styles.embeddings"));
        }
        let width = values.len() / image_ids.len();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (id, value, path) = (&image_ids[at / width], values[at], embeddings.display());
            return Err(user_error(
                format!("the style code of {id} has the value {value} in `{path}`"),
                "look at the image (`callsheet inspect`); if there are many, lower the encoder's learning \
                 rate",
            ));
        }
        let points = Points::new(width, values.iter().map(|value| f64::from(*value)).collect());

        let rows = read_columns(pairs, &["image_id", "frame_id", "crop", "split"])?;
        let (ids, frames) = (read_strings(&rows, "image_id")?, read_strings(&rows, "frame_id")?);
        let (crops, splits) = (read_int32s(&rows, "crop")?, read_strings(&rows, "split")?);
        let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(n, id)| (id.as_str(), n)).collect();
        let place = |id: &String| {
            let path = pairs.display();
            let missing =
                || user_error(format!("image `{id}` has a style code, but is not in `{path}`"), SAME_PAIRS);
            places.get(id.as_str()).copied().ok_or_else(missing)
        };
        let order = image_ids.iter().map(place).collect::<Result<Vec<usize>>>()?;
        Ok(Self {
            image_ids,
            frame_ids: order.iter().map(|n| frames[*n].clone()).collect(),
            crops: order.iter().map(|n| crops[*n]).collect(),
            splits: order.iter().map(|n| splits[*n].clone()).collect(),
            points,
        })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.image_ids.len()
    }

    /// Returns `most` of the images, evenly spread, or all if there are not more.
    pub(crate) fn spread(self, most: usize) -> Self {
        let rows = spread(self.len(), most);
        let texts = |all: &[String]| rows.iter().map(|row| all[*row].clone()).collect();
        Self {
            image_ids: texts(&self.image_ids),
            frame_ids: texts(&self.frame_ids),
            crops: rows.iter().map(|row| self.crops[*row]).collect(),
            splits: texts(&self.splits),
            points: self.points.choose(&rows),
        }
    }

    /// Cluster of each image from a table of style_clusters; `None` for images that are not in the table.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read.
    pub(crate) fn clusters(&self, path: &Path) -> Result<Vec<Option<i32>>> {
        let rows = read_columns(path, &["image_id", "cluster"])?;
        let clusters: HashMap<String, i32> =
            read_strings(&rows, "image_id")?.into_iter().zip(read_int32s(&rows, "cluster")?).collect();
        Ok(self.image_ids.iter().map(|id| clusters.get(id).copied()).collect())
    }

    /// Applies `make` to each image's B. Results are in the order of the images.
    ///
    /// # Errors
    /// Returns an error if an image is unreadable, or `make` fails.
    pub(crate) fn map_styles<T: Send>(
        &self,
        job: &Job,
        make: impl Fn(RgbImage) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let path = job.input("pairs")?;
        let ids = self.image_ids.iter().enumerate();
        let places: HashMap<&str, usize> = ids.map(|(n, id)| (id.as_str(), n)).collect();
        let mut made: Vec<Option<T>> = self.image_ids.iter().map(|_| None).collect();
        let mut done = 0;
        read_batches(path, &["image_id", "b"], BATCH, |rows| -> Result<()> {
            let ids = read_strings(&rows, "image_id")?;
            let images = ids.iter().zip(read_images(&rows, "b")?);
            let wanted = images.filter_map(|(id, bytes)| Some((*places.get(id.as_str())?, id, bytes)));
            let wanted: Vec<(usize, &String, &[u8])> = wanted.collect();
            done += wanted.len();
            let results =
                wanted.into_par_iter().map(|(n, id, bytes)| Ok((n, make(decode(bytes, id, path)?)?)));
            for (n, result) in results.collect::<Result<Vec<(usize, T)>>>()? {
                made[n] = Some(result);
            }
            job.progress(done, places.len(), "images");
            Ok(())
        })?;
        made.into_iter().collect::<Option<_>>().context(SAME_PAIRS)
    }
}

const SAME_PAIRS: &str = "wire the pairs that embed_styles read";

#[cfg(test)]
mod tests {
    use super::fixtures::{Image, Tables};
    use super::*;

    #[test]
    fn codes_have_their_images_and_a_selection_is_spread_over_the_table() {
        let images: Vec<Image> =
            (0..12).map(|n| Image { frame: n / 2, crop: n % 2, ..Image::default() }).collect();
        let tables = Tables::write(&images, &[]);
        let codes = Codes::read(&tables.path("embeddings"), &tables.path("pairs")).expect("codes");
        assert_eq!((codes.len(), codes.points.width()), (12, 8));
        assert_eq!((codes.image_ids[3].as_str(), codes.crops[3]), ("a.mp4#000001/c1", 1));
        let few = codes.spread(3);
        assert_eq!(few.frame_ids, ["a.mp4#000000", "a.mp4#000002", "a.mp4#000005"]);
        assert_eq!(few.points.len(), 3);
    }

    #[test]
    fn codes_that_are_not_numbers_or_of_unknown_images_are_refused() {
        let refused = |images: &[Image], pairs: &[Image]| {
            let (codes, pairs) = (Tables::write(images, &[]), Tables::write(pairs, &[]));
            let read = Codes::read(&codes.path("embeddings"), &pairs.path("pairs"));
            read.err().expect("refused").to_string()
        };
        let (one, other) = (Image::default(), Image { frame: 7, ..Image::default() });
        let mut broken = one.clone();
        broken.code[5] = f32::NAN;
        let said = refused(&[one.clone(), Image { frame: 1, ..broken }], &[]);
        assert!(said.starts_with("the style code of a.mp4#000001/c0 has the value NaN in "), "{said}");
        let said = refused(&[one.clone(), other], &[one]);
        assert!(said.starts_with("image `a.mp4#000007/c0` has a style code, but is not in "), "{said}");
        let said = refused(&[], &[]);
        assert!(said.starts_with("there is no style code in "), "{said}");
    }
}
