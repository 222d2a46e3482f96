//! Style images of a table of pairs, each processed by itself.

use anyhow::Result;
use callsheet_worker::table::{read_batches, row_count};
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use tch::Tensor;

use crate::lib::columns::{read_images, read_strings};
use crate::lib::data::{normalised, to_tensor};
use crate::lib::nn::compute::{Compute, Precision};
use crate::lib::nn::vgg::{SMALLEST_SIDE, Vgg};
use crate::lib::overlap::overlap;
use crate::lib::picture::{decode, within};

/// Number of rows that are written together: enough for the writer, and few enough for the memory.
const ROWS: usize = 8;

/// Applies `describe` to the style image B of each row of the input `pairs`, with VGG-16 from the input `vgg`.
/// Images are reduced to `max_side` pixels; 0 means no limit. Passes the results, with the keys of their rows
/// and in the order of the rows, to `write`.
///
/// Each thread processes one image at a time, so no thread waits for the slowest image of a batch and images
/// may differ in size. A row is independent of other rows and of the number of threads.
///
/// # Errors
/// Returns an error if an image cannot be read, the weights are not those of a VGG-16, or `describe` or
/// `write` fails.
pub(crate) fn each_style_image<T: Send>(
    job: &Job,
    max_side: u32,
    precision: Precision,
    describe: impl Fn(&Vgg, &RgbImage, &str) -> Result<T> + Sync,
    mut write: impl FnMut(&[(String, T)]) -> Result<()>,
) -> Result<()> {
    let vgg = Vgg::load(job.input("vgg")?)?.on(Compute::on_cpu(job, precision));
    let path = job.input("pairs")?;
    let total = row_count(path)? as usize;
    let mut done = 0;
    let workers = (0..job.request.cpus.max(1)).map(|_| {
        let (vgg, describe) = (vgg.share(), &describe);
        move |(id, bytes): (String, Vec<u8>)| {
            tch::set_num_threads(1);
            let picture = within(decode(&bytes, &id, path)?, max_side)?;
            let described = describe(&vgg, &picture, &id)?;
            Ok((id, described))
        }
    });
    let read = |give: &mut dyn FnMut((String, Vec<u8>)) -> Result<()>| {
        read_batches(path, &["image_id", "b"], ROWS, |rows| -> Result<()> {
            let ids = read_strings(&rows, "image_id")?;
            ids.into_iter()
                .zip(read_images(&rows, "b")?)
                .try_for_each(|(id, bytes)| give((id, bytes.to_vec())))
        })
    };
    overlap(read, workers.collect(), ROWS, |described| {
        done += described.len();
        write(&described)?;
        job.progress(done, total, "images");
        Ok(())
    })
}

/// Input [1, 3, H, W] of VGG-16 for an image.
///
/// # Errors
/// Returns an error if the image is too small for the network.
pub(crate) fn vgg_input(picture: &RgbImage, id: &str) -> Result<Tensor> {
    let (width, height) = picture.dimensions();
    if width.min(height) < SMALLEST_SIDE {
        return Err(user_error(
            format!(
                "image `{id}` has {width}x{height} pixels, but the network requires at least {SMALLEST_SIDE} \
                 pixels per side"
            ),
            "use larger images",
        ));
    }
    Ok(normalised(&to_tensor(picture).unsqueeze(0)))
}
