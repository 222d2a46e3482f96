//! Training of the generator: StEP's objective step_v4, or step_v3 with `z_l2` > 0;
//! with a pixel term and a warm-up where a profile asks for them.

mod augment;
mod networks;
mod objective;
mod targets;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;
use tch::{Tensor, no_grad};

use crate::data::{Pairs, batch_rows, normalised};
use crate::nn::adam::{Adam, Betas};
use crate::nn::checkpoint;
use crate::nn::schedule::learning_rate_factor;
use crate::nn::vars::average;
use crate::nn::vgg::Vgg;
use crate::worker::{Context, refusal};
use augment::Augmentation;
pub use networks::Networks;
use objective::Losses;
use targets::Targets;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    nf: i64,
    batch: usize,
    crop: i64,
    enlarge: String,
    train_encoder: bool,
    w_vgg: f64,
    w_gan: f64,
    w_mse: f64,
    z_l2: f64,
    warmup_kimg: f64,
    learning_rate: f64,
    encoder_learning_rate: f64,
    discriminator_learning_rate: f64,
    ema_decay: f64,
    fixed_kimg: u64,
    total_kimg: u64,
    stop_kimg: f64,
    checkpoint_every: u64,
    seed: i64,
}

const BETAS: Betas = Betas { first: 0.0, second: 0.99 };
/// Prefixes of the optimisers' states in a checkpoint.
const ADAMS: [&str; 3] = ["adam_g.", "adam_e.", "adam_d."];
/// Steps between two reports of the losses.
const REPORT_EVERY: u64 = 20;

/// Runs the stage.
///
/// # Errors
/// When weights do not fit, the side is no multiple of 8, the batch is larger than the set, a
/// warm-up has no loss, or a loss is no number any more.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    check_losses(&params)?;
    let pairs = Pairs::load(context.input("pairs")?, "train")?;
    check(&params, &pairs)?;
    let augmentation = Augmentation::new(params.crop, &params.enlarge, pairs.side(), params.seed)?;
    let vgg = Vgg::load(context.input("vgg")?)?;
    let as_stored = augmentation.is_none(pairs.side());
    let targets = if as_stored { Targets::of_all(&vgg, &pairs.b) } else { Targets::default() };

    tch::manual_seed(params.seed);
    let mut nets = Networks::new(params.nf, augmentation.side, context.input("encoder")?)?;
    let mut first_step = 0;
    if let Some(start) = context.optional("generator") {
        first_step = nets.warm_start(start)?;
    }
    let with_e = params.train_encoder;
    let mut adams = optimisers(&nets, with_e);
    let mut shadows = nets.shadows();
    let scratch = &context.request.scratch;
    let after = |kimg: f64| first_step.saturating_add((kimg * 1000.0 / params.batch as f64).round() as u64);
    let (warm_step, last_step) = (after(params.warmup_kimg), after(params.stop_kimg));
    let mut step = first_step;
    if let Some((saved_step, saved)) = checkpoint::latest(scratch, last_step)? {
        nets.load(&saved)?;
        let new_since = if saved_step > warm_step { warm_step } else { first_step };
        for (adam, prefix) in adams.iter_mut().zip(ADAMS) {
            adam.state = checkpoint::take(&saved, prefix);
            adam.step = saved_step - new_since;
        }
        shadows = [checkpoint::take(&saved, "ema_g."), checkpoint::take(&saved, "ema_e.")];
        step = saved_step;
        context.info(format!("continues from step {step}"));
    }

    while step < last_step {
        if step == warm_step {
            // The squared error's gradients are of another size than those of all terms: with their
            // second moments the next dozens of updates would be several times too large.
            adams = optimisers(&nets, with_e);
        }
        let rows = batch_rows(params.seed, pairs.len(), params.batch, step);
        let [a, b] = augmentation.images(&pairs, &rows, step)?.map(|images| normalised(&images));
        let z = if with_e { nets.e.forward(&b) } else { no_grad(|| nets.e.forward(&b)) };
        let y = nets.g.forward(&a, &z);
        let mut losses = if step < warm_step {
            Losses::warm_up(&params, &y, &b)
        } else {
            Losses::new(&params, &nets, &vgg, &targets.of(&vgg, &rows, &b), &y, [&a, &b])
        };
        if with_e {
            losses.add_code_energy(&params, &z);
        }

        // All gradients come from one forward pass; only then is anything updated.
        let grads_d = losses
            .discriminator
            .as_ref()
            .map(|loss| Tensor::run_backward(&[loss], &nets.discriminator().1.tensors(), true, false));
        let mut vars = nets.generator().1.tensors();
        let of_generator = vars.len();
        vars.extend(nets.encoder_if(with_e).iter().flat_map(|(_, vars)| vars.tensors()));
        let grads = Tensor::run_backward(&[&losses.generator], &vars, false, false);
        let (grads_g, grads_e) = grads.split_at(of_generator);
        let factor = learning_rate_factor(step * params.batch as u64, params.fixed_kimg, params.total_kimg);
        let [adam_g, adam_e, adam_d] = &mut adams;
        adam_g.step(&[nets.generator()], grads_g, params.learning_rate * factor);
        adam_e.step(nets.encoder_if(with_e).as_slice(), grads_e, params.encoder_learning_rate * factor);
        if let Some(grads_d) = grads_d {
            adam_d.step(&[nets.discriminator()], &grads_d, params.discriminator_learning_rate * factor);
        }
        average(&mut shadows[0], nets.generator().1, params.ema_decay);
        average(&mut shadows[1], nets.encoder().1, params.ema_decay);
        step += 1;

        let reported = step.is_multiple_of(REPORT_EVERY) || step == last_step;
        for (name, term) in &losses.terms {
            let value = term.double_value(&[]);
            ensure!(
                value.is_finite(),
                "the {name} loss is {value} at step {step}; a lower learning_rate may help, checkpoints are kept"
            );
            if reported {
                context.metric(&format!("loss/{name}"), step, value);
            }
        }
        if reported {
            context.progress((step - first_step) as usize, (last_step - first_step) as usize, "steps");
        }
        if step.is_multiple_of(params.checkpoint_every) || step == last_step {
            let mut all = nets.tensors();
            for (adam, prefix) in adams.iter().zip(ADAMS) {
                checkpoint::put(&mut all, prefix, &adam.state);
            }
            checkpoint::put(&mut all, "ema_g.", &shadows[0]);
            checkpoint::put(&mut all, "ema_e.", &shadows[1]);
            checkpoint::save(scratch, step, &all)?;
        }
    }
    nets.save(context.output("model")?, step, &shadows, &context.request.labels)
}

/// Those of G, of E if it is trained along, and of D.
fn optimisers(nets: &Networks, with_encoder: bool) -> [Adam; 3] {
    [
        Adam::new(&[nets.generator()], BETAS),
        Adam::new(nets.encoder_if(with_encoder).as_slice(), BETAS),
        Adam::new(&[nets.discriminator()], BETAS),
    ]
}

fn check_losses(params: &Params) -> Result<()> {
    if params.warmup_kimg > 0.0 && params.w_mse == 0.0 {
        return Err(refusal(
            format!("warmup_kimg = {} without a loss to warm up with", params.warmup_kimg),
            "set the same stage's w_mse above 0, or its warmup_kimg to 0",
        ));
    }
    Ok(())
}

fn check(params: &Params, pairs: &Pairs) -> Result<()> {
    if params.batch > pairs.len() {
        return Err(refusal(
            format!("batch = {} is larger than the training set of {}", params.batch, pairs.len()),
            "set the stage's batch lower, or use more frames",
        ));
    }
    Ok(())
}

/// The shadows of generator and encoder, by name.
pub type Shadows = [BTreeMap<String, Tensor>; 2];
