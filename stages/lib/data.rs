//! Image pairs in memory, for training and evaluation.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use callsheet_worker::table::{read_batches, read_columns};
use callsheet_worker::user_error;
use image::RgbImage;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::lib::columns::{read_images, read_int32s, read_strings};
use crate::lib::picture::{decode, within};
use crate::lib::random::stream;

/// Split and crop index of each image in a table of pairs, by image id.
pub(crate) struct Images(HashMap<String, (String, i32)>);

impl Images {
    /// Reads a table of pairs.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or is not a table of pairs.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let rows = read_columns(path, &["image_id", "split", "crop"])?;
        let splits = read_strings(&rows, "split")?.into_iter().zip(read_int32s(&rows, "crop")?);
        Ok(Self(read_strings(&rows, "image_id")?.into_iter().zip(splits).collect()))
    }

    /// Returns true if an image is in the table and belongs to `split`.
    pub(crate) fn is_of(&self, id: &str, split: &str) -> bool {
        self.0.get(id).is_some_and(|(found, _)| found == split)
    }

    /// Index of an image's crop in its frame; `None` if the image is not in the table.
    pub(crate) fn crop(&self, id: &str) -> Option<i32> {
        self.0.get(id).map(|(_, crop)| *crop)
    }
}

/// Pairs of images from one split of a table.
pub(crate) struct Pairs {
    /// Row keys of the images.
    pub image_ids: Vec<String>,
    /// Frame of each image.
    pub frame_ids: Vec<String>,
    /// Content images, [N, 3, H, W] in 0..255.
    pub a: Tensor,
    /// Style images, [N, 3, H, W] in 0..255.
    pub b: Tensor,
}

/// Converts a picture to a tensor [3, H, W] in 0..255.
pub(crate) fn to_tensor(picture: &RgbImage) -> Tensor {
    let (width, height) = picture.dimensions();
    let pixels = Tensor::from_slice(picture.as_raw()).view([i64::from(height), i64::from(width), 3]);
    pixels.permute([2, 0, 1]).contiguous()
}

/// Converts a tensor [3, H, W] in 0..255 to a picture.
pub(crate) fn to_picture(bytes: &Tensor) -> RgbImage {
    let size = bytes.size();
    let rows = bytes.permute([1, 2, 0]).contiguous();
    let mut pixels = vec![0u8; rows.numel()];
    rows.copy_data_u8(&mut pixels, rows.numel());
    RgbImage::from_raw(size[2] as u32, size[1] as u32, pixels).unwrap_or_default()
}

/// All values of a tensor, in row-major order.
///
/// # Errors
/// Returns an error if `T` is not the tensor's type.
pub(crate) fn values<T: Element + Copy + Default>(tensor: &Tensor) -> Result<Vec<T>> {
    let mut values = vec![T::default(); tensor.numel()];
    tensor.contiguous().f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

/// Central squares of `crop` pixels of images [N, 3, H, W]. Sides that are not longer stay complete, as do
/// all sides if `crop` is 0.
pub(crate) fn centre(images: &Tensor, crop: i64) -> Tensor {
    let middle = |images: Tensor, dim: i64| {
        let pixels = images.size()[dim as usize];
        if crop == 0 || pixels <= crop { images } else { images.narrow(dim, (pixels - crop) / 2, crop) }
    };
    middle(middle(images.shallow_clone(), 2), 3).contiguous()
}

/// Converts images in [-1, 1] to bytes: `round(127.5 + 127.5 x)`, clipped.
pub(crate) fn quantised(images: &Tensor) -> Tensor {
    (images * 127.5 + 127.5).round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
}

/// Converts bytes in 0..255 to floats in [-1, 1].
pub(crate) fn normalised(bytes: &Tensor) -> Tensor {
    bytes.to_kind(Kind::Float) / 127.5 - 1.0
}

impl Pairs {
    /// Reads the images of `split`, in the order of the table.
    ///
    /// # Errors
    /// Returns an error if an image is unreadable or has another size than the first, or if the split is
    /// empty.
    pub(crate) fn load(path: &Path, split: &str) -> Result<Self> {
        Self::load_within(path, split, 0)
    }

    /// Reads images as [`Self::load`] does, with longer sides reduced to `max_side` pixels; 0 means no limit.
    ///
    /// # Errors
    /// Returns an error in the cases of [`Self::load`].
    pub(crate) fn load_within(path: &Path, split: &str, max_side: u32) -> Result<Self> {
        Self::read(path, max_side, |_, s| s == split)
            .with_context(|| format!("cannot load the split `{split}` of `{}`", path.display()))
    }

    /// Reads the images `ids`, in the order of the table.
    ///
    /// # Errors
    /// Returns an error if an image is missing, unreadable, or has another size than the first.
    pub(crate) fn choose(path: &Path, ids: &[&str]) -> Result<Self> {
        let wanted: BTreeSet<&str> = ids.iter().copied().collect();
        let pairs = Self::read(path, 0, |id, _| wanted.contains(id))?;
        let missing = wanted.iter().find(|id| !pairs.image_ids.iter().any(|found| found == *id));
        ensure!(missing.is_none(), "image `{}` is not in `{}`", missing.unwrap_or(&""), path.display());
        Ok(pairs)
    }

    /// Reads `count` images of `split`, evenly spread, or all if there are fewer. Returns `None` if the split
    /// is empty.
    ///
    /// # Errors
    /// Returns an error in the cases of [`Self::load`], except for an empty split.
    pub(crate) fn sample(path: &Path, split: &str, count: usize) -> Result<Option<Self>> {
        let ids = ids_of(path, split)?;
        let chosen: Vec<&str> = spread(ids.len(), count).into_iter().map(|n| ids[n].as_str()).collect();
        if chosen.is_empty() { Ok(None) } else { Self::choose(path, &chosen).map(Some) }
    }

    fn read(path: &Path, max_side: u32, wanted: impl Fn(&str, &str) -> bool) -> Result<Self> {
        let keys = read_columns(path, &["image_id", "split"])?;
        let (ids, splits) = (read_strings(&keys, "image_id")?, read_strings(&keys, "split")?);
        let count = ids.iter().zip(&splits).filter(|(id, split)| wanted(id, split)).count();
        let (mut image_ids, mut frame_ids) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut images: Option<Pictures> = None;
        let columns = ["image_id", "frame_id", "split", "a", "b"];
        read_batches(path, &columns, 64, |rows| -> Result<()> {
            let ids = read_strings(&rows, "image_id")?;
            let splits = read_strings(&rows, "split")?;
            let frames = read_strings(&rows, "frame_id")?;
            let (images_a, images_b) = (read_images(&rows, "a")?, read_images(&rows, "b")?);
            let chosen: Vec<usize> = (0..ids.len()).filter(|row| wanted(&ids[*row], &splits[*row])).collect();
            let pictures: Vec<(RgbImage, RgbImage)> = chosen
                .par_iter()
                .map(|row| {
                    let read = |bytes| within(decode(bytes, &ids[*row], path)?, max_side);
                    Ok((read(images_a[*row])?, read(images_b[*row])?))
                })
                .collect::<Result<_>>()?;
            for (row, (a, b)) in chosen.into_iter().zip(pictures) {
                let images = images.get_or_insert_with(|| Pictures::new(count, a.dimensions()));
                images.put(image_ids.len() as i64, &ids[row], &a, &b)?;
                image_ids.push(ids[row].clone());
                frame_ids.push(frames[row].clone());
            }
            Ok(())
        })?;
        let Pictures { a, b, .. } = images.context("there is no image")?;
        Ok(Self { image_ids, frame_ids, a, b })
    }

    /// Number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.image_ids.len()
    }

    /// Side of the images, which are square.
    pub(crate) fn side(&self) -> i64 {
        self.a.size()[2]
    }
}

/// Ids of the images in a split of a table of pairs, in the order of the table.
///
/// # Errors
/// Returns an error if the table cannot be read, or is not a table of pairs.
pub(crate) fn ids_of(path: &Path, split: &str) -> Result<Vec<String>> {
    let rows = read_columns(path, &["image_id", "split"])?;
    let ids = read_strings(&rows, "image_id")?.into_iter().zip(read_strings(&rows, "split")?);
    Ok(ids.filter(|(_, found)| found == split).map(|(id, _)| id).collect())
}

/// Positions of `count` elements in `0..total`, one in each of `count` equal parts. Their place within the
/// part varies, because the first place would always be the same crop.
pub(crate) fn spread(total: usize, count: usize) -> Vec<usize> {
    let count = count.min(total);
    (0..count).map(|n| n * total / count + n % (total / count)).collect()
}

fn check_size(id: &str, size: (u32, u32), wanted: (u32, u32)) -> Result<()> {
    if size == wanted {
        return Ok(());
    }
    Err(user_error(
        format!(
            "image `{id}` has {}x{} pixels, but the first image has {}x{}",
            size.0, size.1, wanted.0, wanted.1
        ),
        "set pair_images.side, which makes all images squares of one size",
    ))
}

/// Reads a table in batches of `batch` rows. Calls `each` with the ids of the rows and the images of each
/// column, a tensor [batch, 3, H, W] in 0..255. Longer sides are reduced to `max_side` pixels; 0 means no limit. The last
/// batch is filled up with black images, so that results for a row do not depend on the number of other rows.
///
/// # Errors
/// Returns an error if an image is unreadable or has another size than the first, or if `each` fails.
pub(crate) fn read_padded(
    path: &Path,
    columns: &[&str],
    batch: usize,
    max_side: u32,
    mut each: impl FnMut(&[String], &[Tensor]) -> Result<()>,
) -> Result<()> {
    let mut size = None;
    read_batches(path, &[&["image_id"], columns].concat(), batch, |rows| -> Result<()> {
        let ids = read_strings(&rows, "image_id")?;
        let mut images = Vec::with_capacity(columns.len());
        for column in columns {
            let bytes = read_images(&rows, column)?;
            let pictures: Vec<RgbImage> = bytes
                .par_iter()
                .zip(&ids)
                .map(|(bytes, id)| within(decode(bytes, id, path)?, max_side))
                .collect::<Result<_>>()?;
            for (id, picture) in ids.iter().zip(&pictures) {
                check_size(id, picture.dimensions(), *size.get_or_insert(picture.dimensions()))?;
            }
            let tensors: Vec<Tensor> = pictures.iter().map(to_tensor).collect();
            let black = Tensor::zeros(tensors[0].size(), (Kind::Uint8, Device::Cpu));
            let padding = (tensors.len()..batch).map(|_| black.shallow_clone());
            let tensors: Vec<Tensor> = tensors.iter().map(Tensor::shallow_clone).chain(padding).collect();
            images.push(Tensor::stack(&tensors, 0));
        }
        each(&ids, &images)
    })
}

/// Pictures of a split. They are copied to their final places, because at the paper's size they take
/// gigabytes.
struct Pictures {
    size: (u32, u32),
    a: Tensor,
    b: Tensor,
}

impl Pictures {
    fn new(count: usize, size: (u32, u32)) -> Self {
        let shape = [count as i64, 3, i64::from(size.1), i64::from(size.0)];
        let zeros = || Tensor::zeros(shape, (Kind::Uint8, Device::Cpu));
        Self { size, a: zeros(), b: zeros() }
    }

    fn put(&mut self, row: i64, id: &str, a: &RgbImage, b: &RgbImage) -> Result<()> {
        for (all, picture) in [(&self.a, a), (&self.b, b)] {
            check_size(id, picture.dimensions(), self.size)?;
            all.get(row).copy_(&to_tensor(picture));
        }
        Ok(())
    }
}

/// Rows of batch `step` if `count` rows are shuffled for `purpose` in each epoch. They depend only on the
/// arguments. An incomplete last batch of an epoch is filled from the next epoch.
pub(crate) fn batch_rows(seed: i64, purpose: &str, count: usize, batch: usize, step: u64) -> Vec<i64> {
    let first = step as usize * batch;
    let mut rows = Vec::with_capacity(batch);
    let mut shuffled: Option<(usize, Vec<usize>)> = None;
    for draw in first..first + batch {
        let epoch = draw / count;
        if shuffled.as_ref().is_none_or(|(e, _)| *e != epoch) {
            let mut order: Vec<usize> = (0..count).collect();
            order.shuffle(&mut stream(seed, purpose, epoch as u64));
            shuffled = Some((epoch, order));
        }
        if let Some((_, order)) = &shuffled {
            rows.push(order[draw % count] as i64);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_conversion_to_floats_and_back() {
        let picture = RgbImage::from_fn(16, 9, |x, y| image::Rgb([(x * 16 + y) as u8, x as u8, 255]));
        assert_eq!(to_picture(&quantised(&normalised(&to_tensor(&picture)))), picture);
    }

    #[test]
    fn the_centre_is_the_middle_square_of_a_larger_image() {
        let images = Tensor::arange(36, (Kind::Float, Device::Cpu)).view([1, 1, 6, 6]);
        assert_eq!(centre(&images, 2), Tensor::from_slice(&[14f32, 15.0, 20.0, 21.0]).view([1, 1, 2, 2]));
        assert_eq!(centre(&images, 0), images);
        assert_eq!(centre(&images, 8), images);
    }

    #[test]
    fn an_epoch_visits_every_row_once_and_any_step_can_be_recomputed() {
        let mut seen: Vec<i64> = (0..5).flat_map(|step| batch_rows(7, "epoch", 10, 2, step)).collect();
        assert_eq!(batch_rows(7, "epoch", 10, 2, 3), seen[6..8]);
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(batch_rows(7, "epoch", 3, 8, 0).len(), 8);
    }
}
