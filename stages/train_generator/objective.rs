//! The loss terms of one step: those of StEP's program, and a squared error of pixels.

use tch::Tensor;

use super::{Networks, Params};
use crate::nn::loss;
use crate::nn::vgg::{Taps, Vgg};

/// What the networks minimise, and the terms by name.
pub struct Losses {
    /// The weighted sum that generator, and encoder if trained along, minimise.
    pub generator: Tensor,
    /// loss_D; none while the generator warms up.
    pub discriminator: Option<Tensor>,
    /// Unweighted terms, for people.
    pub terms: Vec<(&'static str, Tensor)>,
}

impl Losses {
    /// While warming up: the squared error of pixels.
    pub fn warm_up(params: &Params, y: &Tensor, b: &Tensor) -> Self {
        let mse = loss::squared_error(y, b);
        Self { generator: &mse * params.w_mse, discriminator: None, terms: vec![("mse", mse)] }
    }

    /// P, S and F, and the squared error if it has a weight, for outputs `y` of contents `a`, styles `b`
    /// and VGG's features `wanted` of `b`.
    pub fn new(
        params: &Params,
        nets: &Networks,
        vgg: &Vgg,
        wanted: &[Tensor],
        y: &Tensor,
        [a, b]: [&Tensor; 2],
    ) -> Self {
        let perceptual = loss::perceptual(&vgg.taps(y, Taps::Second), wanted);
        let fake = nets.d.forward(y, a);
        let fooled = loss::mean_with_zero(&[loss::least_squares(&fake, 1.0)]);
        let mut generator = &perceptual * params.w_vgg + &fooled * params.w_gan;
        let real = loss::mean_with_zero(&[loss::least_squares(&nets.d.forward(b, a), 1.0)]);
        let discriminator = real + loss::mean_with_zero(&[loss::least_squares(&fake, 0.0)]);
        let mut terms = vec![
            ("perceptual", perceptual),
            ("gan", fooled),
            ("discriminator", discriminator.shallow_clone()),
        ];
        if params.w_mse > 0.0 {
            let mse = loss::squared_error(y, b);
            generator += &mse * params.w_mse;
            terms.push(("mse", mse));
        }
        Self { generator, discriminator: Some(discriminator), terms }
    }

    /// Adds Z2 of the codes `z` of an encoder that is trained along.
    pub fn add_code_energy(&mut self, params: &Params, z: &Tensor) {
        if params.z_l2 > 0.0 {
            self.generator += loss::code_energy(z) * params.z_l2;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn the_warm_up_is_the_weighted_squared_error_and_leaves_the_discriminator_alone() {
        let params: Params = serde_json::from_value(json!({
            "crop": 0, "enlarge": "",
            "nf": 4, "batch": 1, "train_encoder": false, "w_vgg": 1.0, "w_gan": 1.0, "w_mse": 10.0,
            "z_l2": 0.0, "warmup_kimg": 1.0, "learning_rate": 0.1, "encoder_learning_rate": 0.1,
            "discriminator_learning_rate": 0.1, "ema_decay": 0.9, "fixed_kimg": 1, "total_kimg": 1,
            "stop_kimg": 1.0, "checkpoint_every": 1, "seed": 0,
        }))
        .expect("parameters");
        let flat = |value: f64| Tensor::full([1, 3, 8, 8], value, (Kind::Float, Device::Cpu));
        let losses = Losses::warm_up(&params, &flat(0.5), &flat(0.0));
        assert!((losses.generator.double_value(&[]) - 10.0 * 0.25).abs() < 1e-6);
        assert!(losses.discriminator.is_none());
    }
}
