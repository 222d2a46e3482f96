//! `callsheet measure`: how far images are from others, or from each other.

mod common;
mod diversity;
mod pairs;

use std::path::PathBuf;

use anyhow::Result;
use callsheet_worker::print::{print_json, print_text};
use clap::{Args, ValueEnum, value_parser};
use serde::Serialize;
use serde_json::json;

use super::project::weights_folder;
use crate::lib::lpips::Distance;

/// As of the stages that measure.
const LARGEST_SIDE: i64 = 4096;

/// Measure how far images are from others (PSNR, SSIM and LPIPS), or from each other (LPIPS)
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet measure output.png wanted.png\n  \
    callsheet measure outputs/ wanted/                   # images of one name in both folders\n  \
    callsheet measure outputs/ wanted/ --network vgg     # LPIPS on VGG-16\n  \
    callsheet measure outputs/                           # diversity: a folder in it for each input\n  \
    callsheet measure outputs/ --json                    # for programs")]
pub(super) struct Measure {
    /// An image, or a folder of images
    images: PathBuf,
    /// What it should be: an image, or a folder that has images of the same names; without it, how different
    /// the images are among themselves
    wanted: Option<PathBuf>,
    /// Network of LPIPS
    #[arg(long, value_enum, default_value_t = Network::Alex)]
    network: Network,
    /// Version of LPIPS
    #[arg(long, value_parser = ["0.0", "0.1"], default_value = "0.1")]
    version: String,
    /// Weights of the network as published [default: those in data/weights]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Side in pixels that images are brought to for LPIPS; 0 takes them as they are
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = value_parser!(u32).range(0..=LARGEST_SIDE))]
    side: u32,
    /// Measure LPIPS alone
    #[arg(long)]
    lpips: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Networks that LPIPS is defined on.
#[derive(Clone, Copy, ValueEnum)]
enum Network {
    Alex,
    Vgg,
    Squeeze,
}

impl Network {
    /// Its name in weight files, that of its LPIPS heads, and where its weights are looked for.
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
    /// When an image or a weight file is unreadable, images have no counterpart, or a folder has none to compare.
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
        let folder = || weights_folder();
        let weights =
            self.weights.clone().map_or_else(|| Ok(folder()?.join(file)), Ok::<_, anyhow::Error>)?;
        let heads = folder()?.join(format!("lpips/v{}/{head}.pth", self.version));
        Distance::published(&weights, network, &heads, self.side)
    }

    /// Prints what was measured `of` each, as JSON or as `text`.
    fn print(&self, distance: &Distance, of: &str, lines: &impl Serialize, text: impl Fn() -> String) {
        if self.json {
            print_json(&json!({ "distance": distance.name, "weights": distance.source(), of: lines }));
        } else {
            print_text(&format!("{}; {}\n{}", distance.name, distance.source(), text()));
        }
    }
}
