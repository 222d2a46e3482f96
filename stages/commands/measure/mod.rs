//! `callsheet measure`: image quality against references, or diversity among images.

mod common;
mod diversity;
mod pairs;

use std::path::PathBuf;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::print::{print_json, print_text};
use callsheet_worker::user_error_with_code;
use clap::{Args, ValueEnum, value_parser};
use serde::Serialize;
use serde_json::json;

use super::project::data_folder;
use crate::lib::lpips::Distance;

/// Largest value of `--side`, as in the stages that compute LPIPS.
const LARGEST_SIDE: i64 = 4096;

/// Measure image quality against references (PSNR, SSIM, LPIPS), or diversity among images (LPIPS)
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet measure output.png reference.png\n  \
    callsheet measure outputs/ references/                  # pairs of images with equal names\n  \
    callsheet measure outputs/ references/ --network vgg    # LPIPS on VGG-16\n  \
    callsheet measure outputs/                              # diversity within each subfolder\n  \
    callsheet measure outputs/ --json                       # JSON output\n\n\
    To measure diversity, put the outputs for each content image into a subfolder of their own.")]
pub(super) struct Measure {
    /// Image, or folder of images
    images: PathBuf,
    /// Reference image, or a folder of reference images that have the names of IMAGES; without REFERENCE, the
    /// diversity of IMAGES is measured
    #[arg(value_name = "REFERENCE")]
    wanted: Option<PathBuf>,
    /// Network whose features LPIPS compares
    #[arg(long, value_enum, default_value_t = Network::Alex)]
    network: Network,
    /// Version of LPIPS
    #[arg(long, value_parser = ["0.0", "0.1"], default_value = "0.1")]
    version: String,
    /// Published weight file of the network [default: the one in data/weights]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Width and height in pixels to which images are resized for LPIPS; 0 keeps the size of the images
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = value_parser!(u32).range(0..=LARGEST_SIDE))]
    side: u32,
    /// Measure only LPIPS, without PSNR and SSIM
    #[arg(long)]
    lpips: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Networks that LPIPS is defined for.
#[derive(Clone, Copy, ValueEnum)]
enum Network {
    Alex,
    Vgg,
    Squeeze,
}

impl Network {
    /// Name of the network in weight files, name of its LPIPS heads, and name of its weight file in
    /// `data/weights`.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Alex => ("alexnet", "alex", "alexnet.ckpt"),
            Self::Vgg => ("vgg16", "vgg", "vgg16.ckpt"),
            Self::Squeeze => ("squeezenet1_1", "squeeze", "squeezenet1_1-b8a52dc0.pth"),
        }
    }
}

impl Measure {
    /// # Errors
    /// Returns an error if an image or a weight file cannot be read, an image has no counterpart, or a folder
    /// contains no images to compare.
    pub(super) fn execute(&self) -> Result<u8> {
        match &self.wanted {
            Some(wanted) => {
                let pairs = pairs::find(&self.images, wanted)?;
                let distance = self.distance()?;
                let lines = pairs::measure(&pairs, &distance, self.lpips)?;
                self.print(&distance, "images", &lines, || pairs::text(&lines));
            }
            None => {
                let folders = diversity::find(&self.images)?;
                let distance = self.distance()?;
                let lines = diversity::measure(&folders, &distance)?;
                self.print(&distance, "folders", &lines, || diversity::text(&lines));
            }
        }
        Ok(0)
    }

    fn distance(&self) -> Result<Distance> {
        let (network, head, file) = self.network.names();
        let published = |name: &str| Ok::<_, anyhow::Error>(data_folder()?.join("weights").join(name));
        let weights = self.weights.clone().map_or_else(|| published(file), Ok)?;
        let heads = published(&format!("lpips/v{}/{head}.pth", self.version))?;
        if let Some(missing) = [&weights, &heads].into_iter().find(|path| !path.exists()) {
            return Err(user_error_with_code(
                Code::Io,
                format!("weight file `{}` does not exist", missing.display()),
                "run `make setup`, which fetches LPIPS and the networks alex and vgg, or name a weight \
                 file of the network with --weights",
            ));
        }
        Distance::published(&weights, network, &heads, self.side)
    }

    /// Prints the measurements as JSON, under the key `of`, or as `text`.
    fn print(&self, distance: &Distance, of: &str, lines: &impl Serialize, text: impl Fn() -> String) {
        if self.json {
            print_json(&json!({ "distance": distance.name, "weights": distance.source(), of: lines }));
        } else {
            print_text(&format!("{}; {}\n{}", distance.name, distance.source(), text()));
        }
    }
}
