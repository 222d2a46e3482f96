//! Effect of the style: each validation image is reconstructed from its content and the style of another
//! image.

use anyhow::Result;
use callsheet_worker::{Job, user_error};
use tch::Tensor;

use crate::lib::data::Pairs;
use crate::lib::metrics::{BATCH, Measures, columns, rows};
use crate::lib::model::{Chosen, Model};

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, an image cannot be read, or there is no validation image.
pub(crate) fn run(job: &Job) -> Result<()> {
    let measures = Measures::load(job, job.params()?)?;
    let model = Model::trained(job.input("model")?, job.params::<Chosen>()?.weights)?;
    let val = Pairs::load(job.input("pairs")?, "val")?;
    let Some(other) = other_images(&val.frame_ids) else {
        let message =
            format!("there is no other style than that of {}, the only validation image", val.image_ids[0]);
        return Err(user_error(
            message,
            "set list_images.val_fraction, or split_pairs, so that there are at least two validation images",
        ));
    };
    let (a, b) = (measures.middle(&val.a), measures.middle(&val.b));
    let codes = model.codes(&b, BATCH as i64)?;
    let other = codes.index_select(0, &Tensor::from_slice(&other));
    let mut table = job.table("reconstruction", columns())?;
    for (ids, at) in val.image_ids.chunks(BATCH).zip((0..).step_by(BATCH)) {
        let part = |all: &Tensor| all.narrow(0, at, ids.len() as i64);
        let images = model.outputs(&part(&a), &part(&other), BATCH as i64);
        table.write(&rows(ids, b.size()[3], measures.of(&images, &part(&b))?, &measures.distance)?)?;
        job.progress(at as usize + ids.len(), val.len(), "images");
    }
    Ok(table.finish()?)
}

/// Returns for each image another one that is half the set away. It belongs to another frame if there are two
/// frames. Returns none if there is a single image.
fn other_images(frame_ids: &[String]) -> Option<Vec<i64>> {
    let n = frame_ids.len();
    let away = |i: usize| (0..n).map(move |k| (i + n / 2 + k) % n);
    let other = |i: usize| {
        let of_another_frame = away(i).find(|j| frame_ids[*j] != frame_ids[i]);
        of_another_frame.or_else(|| away(i).find(|j| *j != i)).map(|j| j as i64)
    };
    (0..n).map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_style_is_of_another_frame_or_at_least_of_another_image() {
        let frames = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(other_images(&frames(&["a", "a", "b", "b"])), Some(vec![2, 3, 0, 1]));
        assert_eq!(other_images(&frames(&["a", "a", "a"])), Some(vec![1, 2, 0]));
        assert_eq!(other_images(&frames(&["a"])), None);
    }
}
