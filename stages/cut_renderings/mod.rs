//! Pairs of images from aligned renderings.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Result, anyhow};
use callsheet_worker::protocol::RequestInput;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{read_bools, read_int32s, read_strings};
use crate::lib::nn::generator::SIDE_MULTIPLE;
use crate::lib::pairs::{Encoded, Pair, check_side, pair_schema, rows};
use crate::lib::parts::Parts;
use crate::lib::picture::resized;
use crate::lib::renderings::{Grouped, content, cut, group, have_folders, rendering};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    side: u32,
}

/// Row of the list.
struct Image {
    id: String,
    frame_id: String,
    crop: i32,
    split: String,
    for_style: bool,
    file: String,
    content: String,
    width: u32,
    place: (u32, u32),
    size: u32,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if an image cannot be read, or a rendering does not show the area of its content image.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    check_side(params.side)?;
    let images = list(job.input("images")?)?;
    check_sizes(&images, &params)?;
    let sources = Sources::new(job.files("renderings")?, job.files("content")?, &images)?;
    let mut by_content: BTreeMap<&str, BTreeMap<&str, Vec<&Image>>> = BTreeMap::new();
    for image in &images {
        by_content.entry(&image.content).or_default().entry(&image.file).or_default().push(image);
    }
    let mut parts = Parts::create(job, "pairs", pair_schema())?;
    let (mut done, total) = (0, images.len());
    for (name, files) in by_content {
        let width = files.values().flatten().next().map_or(0, |image| image.width);
        let layers = sources.layers(name)?;
        let shared = content(sources.content, layers, width)?;
        let first = layers.values().next().map_or(name, |at| sources.content.names[*at].as_str());
        let mut contents: HashMap<(u32, u32), Encoded> = HashMap::new();
        for (file, images) in files {
            let picture = rendering(sources.path(file)?, file, &shared, first)?;
            encode_missing(&mut contents, &shared, &images, params.side)?;
            let pairs: Result<Vec<Pair>> = images
                .par_iter()
                .map(|image| pair(image, &picture, &contents[&image.place], params.side))
                .collect();
            parts.write(&rows(pairs?)?)?;
            done += images.len();
            job.progress(done, total, "images");
        }
    }
    parts.end()
}

/// Files of the stage's inputs.
struct Sources<'a> {
    content: &'a RequestInput,
    layered: Grouped,
    paths: HashMap<&'a str, &'a Path>,
}

impl<'a> Sources<'a> {
    fn new(renderings: &'a RequestInput, content: &'a RequestInput, images: &[Image]) -> Result<Self> {
        let files = renderings.names.iter().map(String::as_str);
        // The engine gives the files of missing rows only, but the layout is that of all rows.
        let named: Vec<String> = images.iter().map(|image| image.file.clone()).collect();
        Ok(Self {
            content,
            layered: group(&content.names, have_folders(&named))?,
            paths: files.zip(renderings.paths.iter().map(|path| path.as_path())).collect(),
        })
    }

    fn layers(&self, name: &str) -> Result<&BTreeMap<String, usize>> {
        self.layered.get(name).ok_or_else(|| anyhow!("no content image is named `{name}`"))
    }

    fn path(&self, file: &str) -> Result<&'a Path> {
        self.paths.get(file).copied().ok_or_else(|| anyhow!("no file is named `{file}`"))
    }
}

fn list(path: &Path) -> Result<Vec<Image>> {
    let rows = read_columns(path, &[])?;
    let texts = |name: &str| read_strings(&rows, name);
    let numbers = |name: &str| read_int32s(&rows, name);
    let (ids, frames, splits) = (texts("image_id")?, texts("frame_id")?, texts("split")?);
    let (files, contents, for_style) = (texts("file")?, texts("content")?, read_bools(&rows, "for_style")?);
    let (crops, widths, sizes) = (numbers("crop")?, numbers("width")?, numbers("size")?);
    let (x, y) = (numbers("x")?, numbers("y")?);
    let image = |at: usize| Image {
        id: ids[at].clone(),
        frame_id: frames[at].clone(),
        crop: crops[at],
        split: splits[at].clone(),
        for_style: for_style[at],
        file: files[at].clone(),
        content: contents[at].clone(),
        width: widths[at] as u32,
        place: (x[at] as u32, y[at] as u32),
        size: sizes[at] as u32,
    };
    Ok((0..ids.len()).map(image).collect())
}

fn check_sizes(images: &[Image], params: &Params) -> Result<()> {
    let multiple = SIDE_MULTIPLE as u32;
    match images.iter().find(|image| params.side == 0 && !image.size.is_multiple_of(multiple)) {
        None => Ok(()),
        Some(image) => Err(user_error(
            format!(
                "crop `{}` has {1}x{1} pixels, but sides must be multiples of {multiple}",
                image.id, image.size
            ),
            format!("set list_renderings.crop or pair_images.side to a multiple of {multiple}, e.g. 128"),
        )),
    }
}

/// Encodes the squares of the content image that no earlier rendering needed.
fn encode_missing(
    contents: &mut HashMap<(u32, u32), Encoded>,
    shared: &RgbImage,
    images: &[&Image],
    side: u32,
) -> Result<()> {
    let missing: Vec<&&Image> = images.iter().filter(|image| !contents.contains_key(&image.place)).collect();
    let encode = |image: &&&Image| Ok((image.place, encoded(shared, image, side)?));
    contents.extend(missing.par_iter().map(encode).collect::<Result<Vec<_>>>()?);
    Ok(())
}

fn encoded(picture: &RgbImage, image: &Image, side: u32) -> Result<Encoded> {
    let square = cut(picture, image.place, image.size);
    Encoded::new(&if side == 0 { square } else { resized(square, side, side)? })
}

fn pair(image: &Image, picture: &RgbImage, a: &Encoded, side: u32) -> Result<Pair> {
    Ok(Pair {
        image_id: image.id.clone(),
        frame_id: image.frame_id.clone(),
        crop: image.crop,
        split: image.split.clone(),
        time_s: 0.0,
        for_style: image.for_style,
        a: a.clone(),
        b: encoded(picture, image, side)?,
    })
}
