//! `callsheet translate`: translation of images into other styles with a trained model, without a pipeline.

mod files;
mod model;

use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use clap::{Args, Subcommand};
use tch::{Device, Kind, Tensor};

use super::images::pictures;
use crate::lib::figures::between;
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::mapper::Mapper;
use crate::lib::random::torch_seed;
use files::{Output, save};
use model::Translator;

/// Translate images with a trained model: transfer, sample or interpolate styles
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet translate transfer MODEL day.png sunset.png -o out.png\n  \
    callsheet translate transfer MODEL photos/ sunset.png -o out/          # all images in a folder\n  \
    callsheet translate sample MODEL MAPPER day.png -n 8 -o strip.png      # styles sampled by the mapper\n  \
    callsheet translate interpolate MODEL day.png dawn.png night.png -o way.mp4   # or .gif or .png\n\n\
    MODEL is the output of train_generator, e.g. data/out/synthesis/space_needle/demo/finetune_generator/model,\n\
    a file in it, or a checkpoint. When a training ends, it logs the path of its best checkpoint.")]
pub(super) struct Translate {
    #[command(subcommand)]
    command: TranslateCommands,
}

/// Options of every translation.
#[derive(Args)]
struct Common {
    /// Maximum length of the longer side of content images, in pixels; larger images are downscaled. 0
    /// disables downscaling
    #[arg(long, default_value_t = 512, value_name = "PIXELS")]
    max_side: u32,
    /// Maximum length of the longer side of style images, in pixels; larger images are downscaled. Typical:
    /// the side of the images that the encoder was trained with. 0 disables downscaling
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    style_side: u32,
    /// Device: cpu, cuda:0, cuda:1, ..; auto is the first GPU, or the CPU if there is none
    #[arg(long, default_value = "auto")]
    device: String,
    /// Output file or folder; existing files are replaced
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
}

#[derive(Subcommand)]
enum TranslateCommands {
    /// Translate one or more content images into the style of another image
    Transfer {
        /// Trained model: the output folder of train_generator, a file in it, or a checkpoint
        model: PathBuf,
        /// Content image, or a folder of content images; for a folder, --output must be a folder, too
        content: PathBuf,
        /// Style image
        style: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Translate a content image into sampled styles; writes one image with all results side by side (.png),
    /// or a folder with one file per style
    Sample {
        /// Trained model: the output folder of train_generator, a file in it, or a checkpoint
        model: PathBuf,
        /// Mapper: the folder that fit_mapper created for the model
        mapper: PathBuf,
        /// Content image
        content: PathBuf,
        /// Number of styles
        #[arg(short = 'n', long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Seed of the sampled styles
        #[arg(long, default_value_t = 0)]
        seed: i64,
        #[command(flatten)]
        common: Common,
    },
    /// Translate a content image into styles between those of two style images; writes one image with all
    /// results side by side (.png), or an animation (.gif, .mp4)
    Interpolate {
        /// Trained model: the output folder of train_generator, a file in it, or a checkpoint
        model: PathBuf,
        /// Content image
        content: PathBuf,
        /// Style image at the start
        from: PathBuf,
        /// Style image at the end
        to: PathBuf,
        /// Number of pictures, both ends included [default: 9 for a .png file, 48 for an animation]
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..=10_000))]
        steps: Option<u32>,
        /// Pictures per second of an animation
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=60))]
        rate: u32,
        #[command(flatten)]
        common: Common,
    },
}

/// Default numbers of pictures of a strip and of an animation.
const STEPS: [u32; 2] = [9, 48];

impl Translate {
    /// # Errors
    /// Returns an error if a file cannot be read, the model is invalid, or the output cannot be written.
    pub(super) fn execute(&self) -> Result<u8> {
        match &self.command {
            TranslateCommands::Transfer { model, content, style, common } => {
                let contents = pictures(content)?;
                let output = Output::of_images(&common.output, content.is_dir())?;
                let read: Vec<&Path> =
                    contents.iter().map(PathBuf::as_path).chain([style.as_path()]).collect();
                output.spare(&read)?;
                let translator = Translator::load(model, &common.device)?;
                let code = translator.code(style, common.style_side)?;
                for (at, path) in contents.iter().enumerate() {
                    let picture = translator.content(path, common.max_side)?;
                    translator
                        .translated(&picture, &code)
                        .try_for_each(|made| save(&output.file(path), &made))?;
                    if contents.len() > 1 {
                        say(&format!("{}/{} {}", at + 1, contents.len(), path.display()));
                    }
                }
            }
            TranslateCommands::Sample { model, mapper, content, count, seed, common } => {
                let output = Output::of_strip(&common.output)?;
                output.spare(&[content.as_path()])?;
                let translator = Translator::load(model, &common.device)?;
                if !mapper.join("mapper.safetensors").exists() {
                    return Err(user_error_with_code(
                        Code::Io,
                        format!("`{}` is not a mapper: it contains no mapper.safetensors", mapper.display()),
                        "name the output `mapper` of fit_mapper, e.g. \
                         data/out/synthesis/space_needle/demo/fit_mapper/mapper",
                    ));
                }
                let mapper = Mapper::load(mapper)?;
                tch::manual_seed(torch_seed(*seed, "samples", 0));
                let noise = Tensor::randn([i64::from(*count), STYLE_DIM], (Kind::Float, Device::Cpu));
                let picture = translator.content(content, common.max_side)?;
                output.strip(&picture, translator.translated(&picture, &mapper.forward(&noise)).collect())?;
            }
            TranslateCommands::Interpolate { model, content, from, to, steps, rate, common } => {
                let output = Output::of_way(&common.output)?;
                output.spare(&[content.as_path(), from.as_path(), to.as_path()])?;
                let translator = Translator::load(model, &common.device)?;
                let [from, to] = [from, to].map(|style| translator.code(style, common.style_side));
                let steps = steps.unwrap_or(STEPS[usize::from(output.moves())]);
                let codes = between(&from?, &to?, i64::from(steps));
                let picture = translator.content(content, common.max_side)?;
                let translated = translator.translated(&picture, &codes);
                if output.moves() {
                    let mut moving = output.moving(picture.dimensions(), *rate)?;
                    translated.for_each(|picture| moving.add(&picture));
                    moving.finish()?;
                } else {
                    output.strip(&picture, translated.collect())?;
                }
            }
        }
        let (TranslateCommands::Transfer { common, .. }
        | TranslateCommands::Sample { common, .. }
        | TranslateCommands::Interpolate { common, .. }) = &self.command;
        say(&format!("written to {}", common.output.display()));
        Ok(0)
    }
}

#[expect(clippy::print_stderr, reason = "prints progress and the place of the output")]
fn say(line: &str) {
    eprintln!("{line}");
}
