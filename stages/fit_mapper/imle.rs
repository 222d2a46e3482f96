//! IMLE: for every code, the mapper is trained to map the noise vector with the nearest image to that code.

use anyhow::{Result, ensure};
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use serde::Deserialize;
use tch::{Device, Kind, Tensor, no_grad};

use crate::lib::data::values;
use crate::lib::nn::adam::{Adam, Betas};
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::mapper::Mapper;
use crate::lib::nn::vars::Vars;
use crate::lib::random::torch_seed;

/// Parameters of the stage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Passes over the codes.
    pub epochs: u64,
    /// Codes per step; a last partial batch is dropped.
    pub batch: i64,
    /// Noise vectors per code.
    pub pool: i64,
    /// Largest number of codes to fit; if there are more, this number is drawn at random.
    pub max_codes: i64,
    /// Epochs between two matchings.
    pub staleness: u64,
    /// Standard deviation of the noise that is added to matched vectors.
    pub perturbation: f64,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Epochs after which the learning rate is multiplied by 0.7.
    pub decay_every: u64,
    /// Seed of weights, order and noise.
    pub seed: i64,
}

const DECAY: f64 = 0.7;
const BETAS: Betas = Betas { first: 0.5, second: 0.999 };

type Point = [f32; STYLE_DIM as usize];

/// Fits M to `codes` [N, 8], or to `max_codes` of them; N must be at least `batch`. `report` is called with
/// each epoch and its mean loss per code.
///
/// # Errors
/// Returns an error if the codes are not float32, or the loss becomes NaN or infinite.
pub(super) fn fit(
    params: &Params,
    codes: &Tensor,
    mut report: impl FnMut(u64, f64),
) -> Result<(Mapper, Vars)> {
    tch::manual_seed(torch_seed(params.seed, "weights", 0));
    let mut vars = Vars::default();
    let mapper = Mapper::new(&mut vars);
    let mut adam = Adam::new(&[("", &vars)], BETAS);
    // The codes are drawn and shuffled once; the last partial batch is dropped.
    tch::manual_seed(torch_seed(params.seed, "order", 0));
    let count = codes.size()[0].min(params.max_codes) / params.batch * params.batch;
    let order = Tensor::randperm(codes.size()[0], (Kind::Int64, Device::Cpu)).narrow(0, 0, count);
    let codes = codes.index_select(0, &order);
    let mut matched = Tensor::new();
    for epoch in 0..params.epochs {
        if epoch.is_multiple_of(params.staleness) {
            tch::manual_seed(torch_seed(params.seed, "pool", epoch));
            let pool = Tensor::randn([count * params.pool, STYLE_DIM], (Kind::Float, Device::Cpu));
            let nearest = matches(&mapper, &codes, &pool)?;
            matched = &nearest + nearest.randn_like() * params.perturbation;
        }
        let rate = params.learning_rate * DECAY.powi((epoch / params.decay_every) as i32);
        let mut sum = 0.0;
        for (noise, wanted) in matched.split(params.batch, 0).iter().zip(codes.split(params.batch, 0)) {
            let loss = (mapper.forward(noise) - wanted).square().sum(Kind::Float) / 2.0;
            let gradients = Tensor::run_backward(&[&loss], &vars.tensors(), false, false);
            adam.step(&[("", &vars)], &gradients, rate);
            sum += loss.double_value(&[]);
        }
        ensure!(
            sum.is_finite(),
            "the mapper's loss is {sum} in epoch {}; a lower learning_rate may help",
            epoch + 1
        );
        report(epoch + 1, sum / count as f64);
    }
    Ok((mapper, vars))
}

/// Returns for each code the vector of `pool` [P, 8] whose image is nearest. Several codes may share a
/// vector.
fn matches(mapper: &Mapper, codes: &Tensor, pool: &Tensor) -> Result<Tensor> {
    let images = points(&no_grad(|| mapper.forward(pool)))?;
    let tree: ImmutableKdTree<f32, { STYLE_DIM as usize }> = ImmutableKdTree::new_from_slice(&images);
    let nearest = |code: &Point| tree.nearest_one::<SquaredEuclidean>(code).item as i64;
    let chosen: Vec<i64> = points(codes)?.par_iter().map(nearest).collect();
    Ok(pool.index_select(0, &Tensor::from_slice(&chosen)))
}

fn points(rows: &Tensor) -> Result<Vec<Point>> {
    let flat: Vec<f32> = values(rows)?;
    Ok(flat.chunks_exact(STYLE_DIM as usize).map(|row| std::array::from_fn(|i| row[i])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_match_of_a_code_is_the_nearest_of_the_pool() {
        let float = (Kind::Float, Device::Cpu);
        let mapper = Mapper::new(&mut Vars::default());
        let codes = Tensor::randn([20, STYLE_DIM], float);
        let pool = Tensor::randn([200, STYLE_DIM], float);
        let found = matches(&mapper, &codes, &pool).expect("matches");
        let images = no_grad(|| mapper.forward(&pool));
        let distances =
            (codes.unsqueeze(1) - images.unsqueeze(0)).square().sum_dim_intlist(2, false, Kind::Float);
        let wanted = pool.index_select(0, &distances.argmin(1, false));
        assert_eq!((found - wanted).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn every_code_has_a_sample_near_it_and_no_cluster_is_forgotten() {
        tch::manual_seed(0);
        let float = (Kind::Float, Device::Cpu);
        let side = Tensor::cat(&[Tensor::ones([64, 1], float), -Tensor::ones([64, 1], float)], 0);
        let codes = side.expand([128, STYLE_DIM], false) + Tensor::randn([128, STYLE_DIM], float) * 0.05;
        let params = Params {
            epochs: 500,
            batch: 64,
            pool: 10,
            staleness: 5,
            perturbation: 0.01,
            learning_rate: 0.01,
            decay_every: 50,
            max_codes: 1000,
            seed: 0,
        };
        let (mapper, _) = fit(&params, &codes, |_, _| {}).expect("a mapper");
        tch::manual_seed(1);
        let samples = no_grad(|| mapper.forward(&Tensor::randn([1000, STYLE_DIM], float)));
        let distances =
            (codes.unsqueeze(1) - samples.unsqueeze(0)).square().sum_dim_intlist(2, false, Kind::Float);
        let farthest = distances.amin(1, false).max().double_value(&[]);
        // The distance between the clusters is 5.7, and that between codes of one cluster is 0.2.
        assert!(farthest < 0.25, "a code has no sample nearer than {}", farthest.sqrt());
        let means = points(&samples)
            .expect("points")
            .iter()
            .map(|p| p.iter().sum::<f32>() / 8.0)
            .collect::<Vec<f32>>();
        let near = |centre: f32| means.iter().filter(|m| (**m - centre).abs() < 0.25).count();
        // IMLE guarantees coverage only: noise that is not matched may map to points between the clusters.
        assert!(near(1.0) > 50 && near(-1.0) > 50, "{} and {} of 1000", near(1.0), near(-1.0));
    }
}
