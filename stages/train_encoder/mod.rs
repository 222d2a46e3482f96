//! Pre-training of the style encoder with a triplet loss (StEP, Meshry et al. 2021).

mod part;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use crate::lib::columns::{read_int32s, read_strings};
use crate::lib::data::{Pairs, batch_rows, normalised};
use crate::lib::leaks::warn_of_copies;
use crate::lib::nn::adam::{Adam, Betas};
use crate::lib::nn::best::Best;
use crate::lib::nn::checkpoint::{self, State, TrainingConfig};
use crate::lib::nn::compute::{Compute, Precision};
use crate::lib::nn::encoder::Encoder;
use crate::lib::nn::vars::Vars;
use crate::lib::nn::{file, loss};
use part::of_part;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    nf: i64,
    code_size: i64,
    max_side: u32,
    batch: usize,
    margin: f64,
    z_l2: f64,
    learning_rate: f64,
    stop_steps: u64,
    checkpoint_every: u64,
    select_every: u64,
    device: String,
    precision: Precision,
    deterministic: bool,
    seed: i64,
}

/// Steps between two reports of the loss.
const REPORT_EVERY: u64 = 20;

/// Runs the stage.
///
/// # Errors
/// Returns an error if triplets name unknown images, or the loss becomes NaN or infinite.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    warn_of_copies(job, job.input("pairs")?)?;
    let pairs = Pairs::load_within(job.input("pairs")?, "train", params.max_side)?;
    let (triplets, anchors) = read_triplets(job.input("triplets")?, &pairs)?;

    tch::manual_seed(params.seed);
    let compute = Compute::choose(job, &params.device, params.precision, params.deterministic)?;
    let mut vars = Vars::on(compute);
    let encoder = Encoder::new(&mut vars, params.nf, params.code_size);
    let mut adam = Adam::new(&[("", &vars)], Betas { first: 0.0, second: 0.99 });
    let mut best = Best::new(vars.named());
    let resumed = checkpoint::resume(job, params.stop_steps, &state(&vars, &adam, &best), |_, _| true)?;
    if let Some((step, saved)) = resumed {
        vars.load(&saved, "vars.")?;
        checkpoint::restore(&mut adam.state, &saved, "adam.");
        adam.step = step;
        best.restore(&saved)?;
    }

    let network = json!({ "network": "encoder", "nf": params.nf });
    let course = TrainingConfig { terms: Value::Null, network, milestone: 0, every: params.checkpoint_every };
    let batch = params.batch as i64;
    let codes = |images: &[i64]| {
        let images = pairs.b.index_select(0, &Tensor::from_slice(images));
        encoder.forward(&normalised(&images.to_device(compute.device))).code()
    };
    while adam.step < params.stop_steps {
        let rows = visit_rows(params.seed, anchors, triplets.len(), params.batch, adam.step);
        let images: Vec<i64> = (0..3).flat_map(|part| of_part(&triplets, &rows, part)).collect();
        let z = codes(&images);
        let [anchor, positive, negative] = [0, 1, 2].map(|part| z.narrow(0, part * batch, batch));
        let ranking = loss::triplet(&anchor, &positive, &negative, params.margin);
        let energy: Tensor = [&anchor, &positive, &negative].map(loss::code_energy).into_iter().sum();
        let total = &ranking + &energy * params.z_l2;
        let gradients = Tensor::run_backward(&[&total], &vars.tensors(), false, false);
        adam.step(&[("", &vars)], &gradients, params.learning_rate);

        let value = ranking.double_value(&[]);
        ensure!(
            value.is_finite(),
            "the triplet loss is {value} at step {}; a lower learning_rate may help, checkpoints are kept",
            adam.step
        );
        if adam.step.is_multiple_of(REPORT_EVERY) || adam.step == params.stop_steps {
            job.metric("loss/triplet", adam.step, value);
            job.metric("loss/z_l2", adam.step, energy.double_value(&[]));
        }
        job.progress(adam.step as usize, params.stop_steps as usize, "steps");
        let selects = adam.step.is_multiple_of(params.select_every);
        let saves = adam.step.is_multiple_of(params.checkpoint_every) || adam.step == params.stop_steps;
        if selects || saves {
            let loss = watch::look(job, adam.step, &triplets, params.margin, codes)?;
            if selects {
                best.offer(adam.step, loss, vars.named());
            }
            if saves {
                let state = state(&vars, &adam, &best);
                checkpoint::save(job, adam.step, &state, &course, Some(loss))?;
            }
        }
    }
    if !adam.step.is_multiple_of(params.select_every) {
        // The weights after the last step are not offered in the checkpoint: a longer training does not evaluate there.
        best.offer(adam.step, watch::look(job, adam.step, &triplets, params.margin, codes)?, vars.named());
    }
    job.info(best.message("the same triplets"));
    let config = json!({
        "network": "encoder", "nf": params.nf, "steps": adam.step, "best": best.config(),
        "labels": job.request.labels,
    });
    let files = [("encoder.safetensors", vars.named()), ("best.safetensors", best.weights())];
    file::save_model(job.output("model")?, &files, &config)
}

/// Returns everything that the next step depends on.
fn state(vars: &Vars, adam: &Adam, best: &Best) -> State {
    let mut all = State::new();
    checkpoint::put(&mut all, "vars.", vars.named());
    checkpoint::put(&mut all, "adam.", &adam.state);
    best.put(&mut all);
    all
}

/// Returns the rows of a batch. Each epoch uses every anchor once, with the triplets of the next visit.
fn visit_rows(seed: i64, anchors: usize, triplets: usize, batch: usize, step: u64) -> Vec<i64> {
    let first = step as usize * batch;
    let of_visit = |(draw, row): (usize, i64)| {
        let visit = draw / anchors % (triplets / anchors);
        (visit * anchors) as i64 + row
    };
    (first..).zip(batch_rows(seed, "epoch", anchors, batch, step)).map(of_visit).collect()
}

/// Reads the positions of anchor, positive and negative in the training images, visit by visit, and the
/// number of anchors of a visit.
fn read_triplets(path: &Path, pairs: &Pairs) -> Result<(Vec<[i64; 3]>, usize)> {
    let positions: BTreeMap<&str, i64> =
        pairs.image_ids.iter().enumerate().map(|(n, id)| (id.as_str(), n as i64)).collect();
    let names = ["anchor_id", "positive_id", "negative_id"];
    let rows = read_columns(path, &[&names[..], &["visit"]].concat())?;
    let columns = names.map(|name| read_strings(&rows, name));
    let [anchors, positives, negatives] = columns;
    let (anchors, positives, negatives) = (anchors?, positives?, negatives?);
    let at = |id: &String| {
        positions.get(id.as_str()).copied().ok_or_else(|| {
            user_error(
                format!("a triplet names `{id}`, which is not a training image"),
                "compute pairs and triplets from the same frames",
            )
        })
    };
    let visits = read_int32s(&rows, "visit")?.last().map_or(1, |last| *last as usize + 1);
    ensure!(
        !anchors.is_empty() && anchors.len().is_multiple_of(visits),
        "`{}` has {} rows for {visits} visits, but visits must have equal numbers of rows",
        path.display(),
        anchors.len()
    );
    let count = anchors.len() / visits;
    let positions =
        (0..anchors.len()).map(|n| Ok([at(&anchors[n])?, at(&positives[n])?, at(&negatives[n])?]));
    Ok((positions.collect::<Result<_>>()?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_anchor_once_with_the_triplets_of_its_visit() {
        let rows: Vec<i64> = (0..6).flat_map(|step| visit_rows(3, 6, 12, 3, step)).collect();
        let sorted = |rows: &[i64]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&rows[..6]), (0..6).collect::<Vec<_>>());
        assert_eq!(sorted(&rows[6..12]), (6..12).collect::<Vec<_>>());
        assert_eq!(
            sorted(&rows[12..]),
            (0..6).collect::<Vec<_>>(),
            "after the last visit, the first one follows"
        );
    }
}
