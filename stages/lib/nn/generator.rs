//! Generator G: content encoder and decoder with skips, as in StEP's program.

use tch::{Kind, Tensor};

use super::encoder::STYLE_DIM;
use super::layers::{HeConv, InstanceNorm, SLOPE, pixel_norm, tile};
use super::layout::channels_last;
use super::vars::Vars;

/// Slope in the he constants of residual blocks.
const BLOCK_SLOPE: f64 = 1.0;
/// Largest number of channels in the content encoder.
const WIDEST: i64 = 512;
/// Number of downsamplings, and of upsamplings.
const DEPTH: usize = 3;
/// Number of residual blocks in the content encoder, and in the decoder.
const RESIDUAL: usize = 4;

/// Sides of images must be multiples of this number of pixels.
pub(crate) const SIDE_MULTIPLE: i64 = 1 << DEPTH;

#[derive(Debug)]
struct NormedConv {
    conv: HeConv,
    norm: InstanceNorm,
}

impl NormedConv {
    fn new(
        vars: &mut Vars,
        name: &str,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        slope: f64,
    ) -> Self {
        Self {
            conv: HeConv::new(vars, name, inputs, outputs, kernel, stride, slope),
            norm: InstanceNorm::new(vars, &format!("{name}.norm"), outputs),
        }
    }

    fn exact(self) -> Self {
        Self { conv: self.conv.exact(), ..self }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.norm.forward(&self.conv.forward(x))
    }
}

#[derive(Debug)]
struct ResBlock {
    first: NormedConv,
    second: NormedConv,
}

impl ResBlock {
    fn new(vars: &mut Vars, name: &str, channels: i64) -> Self {
        let mut conv = |part: &str| {
            NormedConv::new(vars, &format!("{name}.{part}"), channels, channels, 3, 1, BLOCK_SLOPE)
        };
        Self { first: conv("first"), second: conv("second") }
    }

    fn exact(self) -> Self {
        Self { first: self.first.exact(), second: self.second.exact() }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.second.forward(&self.first.forward(x).relu()) + x
    }
}

#[derive(Debug)]
struct UpBlock {
    first: HeConv,
    second: HeConv,
}

impl UpBlock {
    fn exact(self) -> Self {
        Self { first: self.first.exact(), second: self.second.exact() }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = pixel_norm(&self.first.doubled(x).relu());
        pixel_norm(&self.second.forward(&x).relu())
    }
}

/// Features of contents: the decoder's input and the inputs of its skips.
#[derive(Debug)]
pub(crate) struct Content {
    deep: Tensor,
    skips: Vec<Tensor>,
}

impl Content {
    /// Returns `count` contents: the contents themselves if there are `count`, or a single content repeated.
    pub(crate) fn repeated(&self, count: i64) -> Self {
        let repeated = |x: &Tensor| match x.size()[0] == count {
            true => x.shallow_clone(),
            false => channels_last(&x.expand([count, -1, -1, -1], false)),
        };
        Self { deep: repeated(&self.deep), skips: self.skips.iter().map(repeated).collect() }
    }
}

/// G(A, z): content image and style code -> image.
#[derive(Debug)]
pub(crate) struct Generator {
    down: Vec<NormedConv>,
    content: Vec<ResBlock>,
    styled: Vec<ResBlock>,
    up: Vec<UpBlock>,
    rgb: HeConv,
    computed_in: Kind,
}

impl Generator {
    /// Creates G with width `nf` (32 in StEP).
    pub(crate) fn new(vars: &mut Vars, nf: i64) -> Self {
        let width = |level: usize| (nf << level).min(WIDEST);
        // The first and last layers are computed in float32. Instance norms enlarge the rounding errors of
        // the first ones, and VGG's max pools and ReLUs react to those of the last ones. In bfloat16, the
        // gradients of the GAN and of the perceptual loss would have other directions.
        let mut down = vec![NormedConv::new(vars, "content.conv0", 3, nf, 7, 1, SLOPE).exact()];
        for level in 0..DEPTH {
            let name = format!("content.down{level}");
            down.push(NormedConv::new(vars, &name, width(level), width(level + 1), 3, 2, SLOPE).exact());
        }
        let deep = width(DEPTH);
        let content = (0..RESIDUAL).map(|n| {
            let block = ResBlock::new(vars, &format!("content.res{n}"), deep);
            if n < RESIDUAL / 2 { block.exact() } else { block }
        });
        let content = content.collect();
        let mut channels = deep + STYLE_DIM;
        let styled =
            (0..RESIDUAL).map(|n| ResBlock::new(vars, &format!("decoder.res{n}"), channels)).collect();
        let mut up = Vec::new();
        for level in (0..DEPTH).rev() {
            let (inputs, outputs) = (width(level + 1) + channels + STYLE_DIM, width(level));
            let mut conv = |part: &str, inputs| {
                let name = format!("decoder.up{}.{part}", level + 1);
                HeConv::new(vars, &name, inputs, outputs, 3, 1, SLOPE)
            };
            let block = UpBlock { first: conv("first", inputs), second: conv("second", outputs) };
            up.push(if level == 0 { block.exact() } else { block });
            channels = outputs;
        }
        let rgb = HeConv::new(vars, "decoder.rgb", nf + channels + STYLE_DIM, 3, 1, 1, SLOPE).exact();
        Self { down, content, styled, up, rgb, computed_in: vars.compute().kind }
    }

    /// Generates images [N, 3, H, W] in (-1, 1) from `a` [N, 3, H, W] in [-1, 1] and `z` [N, 8]. H and W are
    /// multiples of 8.
    #[cfg(test)]
    pub(crate) fn forward(&self, a: &Tensor, z: &Tensor) -> Tensor {
        self.decode(&self.encode(a), z)
    }

    /// Runs the content encoder. The features do not depend on a style.
    pub(crate) fn encode(&self, a: &Tensor) -> Content {
        let mut skips = Vec::with_capacity(self.down.len());
        let mut x = a.shallow_clone();
        for block in &self.down {
            x = block.forward(&x).relu();
            skips.push(x.to_kind(self.computed_in));
        }
        let x = x.to_kind(self.computed_in);
        Content { deep: self.content.iter().fold(x, |x, block| block.forward(&x)), skips }
    }

    /// Runs the decoder on features of contents and style codes `z` [N, 8].
    pub(crate) fn decode(&self, content: &Content, z: &Tensor) -> Tensor {
        // The order of channels is skip, x, z. z is constant over all positions.
        let with_style = |parts: &[&Tensor]| {
            let size = parts[0].size();
            let z = tile(&z.to_kind(parts[0].kind()), size[2], size[3]);
            let parts: Vec<&Tensor> = parts.iter().copied().chain([&z]).collect();
            Tensor::cat(&parts, 1)
        };
        let mut x = with_style(&[&content.deep]);
        x = self.styled.iter().fold(x, |x, block| block.forward(&x));
        for (block, skip) in self.up.iter().zip(content.skips.iter().rev()) {
            x = block.forward(&with_style(&[skip, &x]));
        }
        self.rgb.forward(&with_style(&[&content.skips[0], &x])).tanh()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn parameter_counts_are_those_of_the_specification() {
        for (nf, wanted) in [(32, 11_136_091), (16, 2_872_475), (64, 43_851_227)] {
            let mut vars = Vars::default();
            Generator::new(&mut vars, nf);
            assert_eq!(vars.count(), wanted, "nf {nf}");
        }
        let mut vars = Vars::default();
        Generator::new(&mut vars, 32);
        let content = vars.named().iter().filter(|(name, _)| name.starts_with("content."));
        assert_eq!(content.map(|(_, t)| t.numel()).sum::<usize>(), 5_117_952);
    }

    #[test]
    fn the_output_has_the_input_s_size_and_range() {
        let mut vars = Vars::default();
        let generator = Generator::new(&mut vars, 4);
        let float = (Kind::Float, Device::Cpu);
        let y = generator.forward(&Tensor::randn([2, 3, 24, 16], float), &Tensor::randn([2, 8], float));
        assert_eq!(y.size(), [2, 3, 24, 16]);
        assert!(y.abs().max().double_value(&[]) < 1.0);
    }
}
