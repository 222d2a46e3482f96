//! `callsheet translate`: images in other styles, with a trained model and nothing else.

mod files;
mod model;

use std::path::{Path, PathBuf};

use anyhow::Result;
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
    callsheet translate transfer MODEL photos/ sunset.png -o out/          # every image of a folder\n  \
    callsheet translate sample MODEL MAPPER day.png -n 8 -o strip.png      # styles drawn by the mapper\n  \
    callsheet translate interpolate MODEL day.png dawn.png night.png -o way.mp4   # or .gif, or a strip as .png\n\n\
    MODEL is the folder that train_generator made, such as data/out/synthesis/space_needle/finetune_generator/model,\n\
    or a file of it, or a checkpoint alone: a training says at its end where the best one is.")]
pub(super) struct Translate {
    #[command(subcommand)]
    command: TranslateCommands,
}

/// What is asked of every translation.
#[derive(Args)]
struct Common {
    /// Longer sides are reduced to so many pixels; 0 takes contents as they are
    #[arg(long, default_value_t = 512, value_name = "PIXELS")]
    max_side: u32,
    /// The same for images whose style is taken: what the encoder was trained on
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    style_side: u32,
    /// cpu, cuda:0, cuda:1, ..; auto is the first GPU, or else the CPUs
    #[arg(long, default_value = "auto")]
    device: String,
    /// Where to write; an existing file is replaced
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
}

#[derive(Subcommand)]
enum TranslateCommands {
    /// Contents in the style of an image
    Transfer {
        /// A trained model
        model: PathBuf,
        /// An image, or a folder of images: then the output is a folder
        content: PathBuf,
        /// The image whose style to take
        style: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A content in styles that a mapper draws: beside each other, or a file each if the output is a folder
    Sample {
        /// A trained model
        model: PathBuf,
        /// The folder that fit_mapper made for it
        mapper: PathBuf,
        /// An image
        content: PathBuf,
        /// How many styles
        #[arg(short = 'n', long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Of the draws
        #[arg(long, default_value_t = 0)]
        seed: i64,
        #[command(flatten)]
        common: Common,
    },
    /// A content on the straight way from one style to another: a strip (.png), or moving (.gif, .mp4)
    Interpolate {
        /// A trained model
        model: PathBuf,
        /// An image
        content: PathBuf,
        /// The image whose style to begin with
        from: PathBuf,
        /// The image whose style to end with
        to: PathBuf,
        /// Pictures, both ends included [default: 9 of a strip, 48 moving]
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..=10_000))]
        steps: Option<u32>,
        /// Pictures a second, if moving
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=60))]
        rate: u32,
        #[command(flatten)]
        common: Common,
    },
}

/// Pictures of a strip, and of what moves, if none says how many.
const STEPS: [u32; 2] = [9, 48];

impl Translate {
    /// # Errors
    /// When a file is unreadable, the model is none, or the output cannot be written.
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
        Ok(0)
    }
}

#[expect(clippy::print_stderr, reason = "how far it is")]
fn say(line: &str) {
    eprintln!("{line}");
}
