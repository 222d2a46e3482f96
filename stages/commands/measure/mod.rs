//! `callsheet measure`: how far images are from others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet::declare::Project;
use clap::{Args, ValueEnum};
use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;
use tch::Tensor;

use super::images::{opened, pictures};
use crate::data::to_tensor;
use crate::lpips::Distance;
use crate::metrics::{psnr, ssim};
use crate::worker::refusal;

/// Measure how far images are from others: PSNR, SSIM and LPIPS
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet measure output.png wanted.png\n  \
    callsheet measure outputs/ wanted/                   # images of one name in both folders\n  \
    callsheet measure outputs/ wanted/ --network vgg     # LPIPS on VGG-16\n  \
    callsheet measure outputs/ wanted/ --json            # for programs")]
pub struct Measure {
    /// An image, or a folder of images
    images: PathBuf,
    /// What it should be: an image, or a folder that has images of the same names
    wanted: PathBuf,
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
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
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

/// What was measured of a pair.
#[derive(Serialize)]
struct Line {
    image: String,
    /// In dB; infinite, in JSON null, of identical images.
    #[serde(skip_serializing_if = "Option::is_none")]
    psnr: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssim: Option<f64>,
    lpips: f64,
}

/// Pairs that go through the network together.
const BATCH: usize = 16;

impl Measure {
    /// # Errors
    /// When an image or a weight file is unreadable, or images have no counterpart.
    #[expect(clippy::print_stdout, reason = "the answer")]
    pub fn execute(&self) -> Result<u8> {
        let pairs = pairs(&self.images, &self.wanted)?;
        let distance = self.distance()?;
        let mut lines = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(BATCH) {
            lines.extend(self.measure(&distance, pairs)?);
        }
        if self.json {
            let all = serde_json::json!({ "distance": distance.name, "weights": distance.source(), "images": lines });
            println!("{all:#}");
            return Ok(0);
        }
        println!("{}; {}", distance.name, distance.source());
        for line in &lines {
            println!("{}", shown(&line.image, line.psnr, line.ssim, line.lpips));
        }
        if lines.len() > 1 {
            let mean = |value: fn(&Line) -> Option<f64>| {
                let finite: Vec<f64> = lines.iter().filter_map(value).filter(|v| v.is_finite()).collect();
                (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
            };
            let lpips = mean(|line| Some(line.lpips)).unwrap_or_default();
            println!("{}", shown("mean", mean(|line| line.psnr), mean(|line| line.ssim), lpips));
            let identical = lines.iter().filter(|line| line.psnr.is_some_and(f64::is_infinite)).count();
            if identical > 0 {
                println!("{identical} identical: their PSNR is infinite, and in no mean");
            }
        }
        Ok(0)
    }

    fn distance(&self) -> Result<Distance> {
        let (network, head, file) = self.network.names();
        let folder = || Ok::<_, anyhow::Error>(Project::find()?.data.join("weights"));
        let weights =
            self.weights.clone().map_or_else(|| Ok(folder()?.join(file)), Ok::<_, anyhow::Error>)?;
        let heads = folder()?.join(format!("lpips/v{}/{head}.pth", self.version));
        Distance::published(&weights, network, &heads, self.side)
    }

    fn measure(&self, distance: &Distance, pairs: &[(PathBuf, PathBuf)]) -> Result<Vec<Line>> {
        let pictures: Vec<(RgbImage, RgbImage)> =
            pairs.par_iter().map(|(a, b)| Ok((opened(a)?, opened(b)?))).collect::<Result<_>>()?;
        for ((a, b), (x, y)) in pairs.iter().zip(&pictures) {
            if x.dimensions() != y.dimensions() {
                let size = |picture: &RgbImage| format!("{}x{}", picture.width(), picture.height());
                return Err(refusal(
                    format!("{} is {}, {} is {}", a.display(), size(x), b.display(), size(y)),
                    "images are compared pixel by pixel: make them of one size",
                ));
            }
        }
        let mut lines = Vec::with_capacity(pairs.len());
        // Images of one size are measured together.
        for run in pictures.chunk_by(|a, b| a.0.dimensions() == b.0.dimensions()) {
            let stacked = |half: fn(&(RgbImage, RgbImage)) -> &RgbImage| {
                Tensor::stack(&run.iter().map(|pair| to_tensor(half(pair))).collect::<Vec<_>>(), 0)
            };
            let (x, y) = (stacked(|pair| &pair.0), stacked(|pair| &pair.1));
            let distances = distance.features(&x)?.distances(&distance.features(&y)?)?;
            let [psnrs, ssims] = if self.lpips { [vec![], vec![]] } else { [psnr(&x, &y)?, ssim(&x, &y)?] };
            for (n, lpips) in distances.into_iter().enumerate() {
                let image = pairs[lines.len()].0.display().to_string();
                let (psnr, ssim) = (psnrs.get(n).copied(), ssims.get(n).copied());
                lines.push(Line { image, psnr, ssim, lpips });
            }
        }
        Ok(lines)
    }
}

/// A line of the answer for people.
fn shown(name: &str, psnr: Option<f64>, ssim: Option<f64>, lpips: f64) -> String {
    let of = |name: &str, value: Option<f64>, digits: usize| {
        value.map(|value| format!("{name} {value:.digits$}  ")).unwrap_or_default()
    };
    format!("{}{}LPIPS {lpips:.4}  {name}", of("PSNR", psnr, 2), of("SSIM", ssim, 4))
}

/// Images, and those of the same names that they are compared with.
fn pairs(images: &Path, wanted: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if images.is_dir() != wanted.is_dir() {
        return Err(refusal(
            format!("{} and {} are an image and a folder", images.display(), wanted.display()),
            "name two images, or two folders",
        ));
    }
    let (images_found, wanted_found) = (pictures(images)?, pictures(wanted)?);
    if !images.is_dir() {
        return Ok(images_found.into_iter().zip(wanted_found).collect());
    }
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_owned();
    let by_name: BTreeMap<OsString, PathBuf> =
        wanted_found.into_iter().map(|path| (stem(&path), path)).collect();
    let counterpart = |path: PathBuf| match by_name.get(&stem(&path)) {
        Some(other) => Ok((path, other.clone())),
        None => Err(refusal(
            format!("{} has no image of the name of {}", wanted.display(), path.display()),
            "each image is compared with the one of its name, whatever the extension",
        )),
    };
    images_found.into_iter().map(counterpart).collect()
}
