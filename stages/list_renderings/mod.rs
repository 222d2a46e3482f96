//! List of the crops of aligned renderings.

mod grid;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::{Job, user_error};
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{Column, batch, bools, int32s, schema_of, strings};
use crate::lib::names::warn_of_hidden;
use crate::lib::renderings::{Grouped, content, contrast, cut, digest, group, have_folders};
use crate::lib::splits::{check_both, choose};
use crate::lib::verdicts::excluded;
use grid::{Grid, Square};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    width: u32,
    crop: u32,
    step: u32,
    region: u32,
    min_contrast: f64,
    val_fraction: f64,
    max_style_images: usize,
    seed: i64,
}

/// Content image, and the squares of it that are used.
struct Content {
    name: String,
    width: u32,
    digest: String,
    squares: Vec<Square>,
}

/// Row of the list.
struct Image {
    id: String,
    frame_id: String,
    style: String,
    file: String,
    /// Position of its content.
    content: usize,
    square: Square,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if there are fewer than two styles, if no rendering has a content image, or if a split would be empty.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let (renderings, layers) = (job.files("renderings")?, job.files("content")?);
    warn_of_hidden(job, &renderings.names);
    let folders = have_folders(&renderings.names);
    let (styled, layered) = (group(&renderings.names, folders)?, group(&layers.names, folders)?);
    check_folders(&styled, &renderings.names)?;
    let names = shared(job, &styled, &layered)?;
    let styles = styles(&styled, &names)?;
    warn_of_gaps(job, &styled, &names, &styles);
    let contents = contents(job, &params, &names, &layered)?;
    let mut images = images(&contents, &styled, &renderings.names);
    let excluded = excluded(job, &images.iter().map(|image| image.id.as_str()).collect())?;
    images.retain(|image| !excluded.contains(&image.id));
    let splits: Vec<&str> = images.iter().map(|image| image.square.split).collect();
    check_both(
        &splits,
        "add contents; or use smaller values of list_renderings.region, crop and min_contrast; or change \
         list_renderings.val_fraction",
    )?;
    write(job, &params, &contents, &images)
}

fn check_folders(styled: &Grouped, files: &[String]) -> Result<()> {
    match styled.values().find_map(|styles| styles.get("")) {
        None => Ok(()),
        Some(at) => Err(user_error(
            format!("`{}` is in no folder of a style, but other renderings are", files[*at]),
            "move the image into the folder of its style",
        )),
    }
}

/// Styles of the contents that are used.
fn styles<'a>(styled: &'a Grouped, names: &[&str]) -> Result<BTreeSet<&'a str>> {
    let of_content = names.iter().flat_map(|name| styled[*name].keys());
    let styles: BTreeSet<&str> = of_content.map(String::as_str).collect();
    if styles.len() < 2 {
        return Err(user_error(
            format!("there are fewer than two styles: {}", list(styles.iter().copied())),
            "add renderings in other styles: one large image per style, or one folder per style",
        ));
    }
    Ok(styles)
}

/// Contents with renderings and all layers of a content image: a missing layer would give channels another meaning.
fn shared<'a>(job: &Job, styled: &'a Grouped, layered: &Grouped) -> Result<Vec<&'a str>> {
    let all: BTreeSet<&String> = layered.values().flat_map(BTreeMap::keys).collect();
    let is_whole = |name: &&str| layered.get(*name).is_some_and(|layers| layers.len() == all.len());
    let (names, alone): (Vec<&str>, Vec<&str>) = styled.keys().map(String::as_str).partition(is_whole);
    if names.is_empty() {
        return Err(user_error(
            format!("no rendering has a content image of its name; renderings show {}", list(alone)),
            format!("give content images the names of renderings; they show {}", list(layered.keys())),
        ));
    }
    if !alone.is_empty() {
        job.warn(format!(
            "{} contents lack their content image or a layer of it and are left out: {}",
            alone.len(),
            list(alone)
        ));
    }
    let unused: Vec<&String> = layered.keys().filter(|name| !styled.contains_key(*name)).collect();
    if !unused.is_empty() {
        job.warn(format!("{} content images have no rendering: {}", unused.len(), list(unused)));
    }
    Ok(names)
}

fn warn_of_gaps(job: &Job, styled: &Grouped, names: &[&str], styles: &BTreeSet<&str>) {
    for style in styles {
        let lacks = names.iter().copied().filter(|name| !styled[*name].contains_key(*style));
        let lacks: Vec<&str> = lacks.collect();
        if !lacks.is_empty() {
            job.warn(format!(
                "style `{style}` lacks {} of {} contents: {}",
                lacks.len(),
                names.len(),
                list(lacks)
            ));
        }
    }
}

fn contents(job: &Job, params: &Params, names: &[&str], layered: &Grouped) -> Result<Vec<Content>> {
    let files = job.files("content")?;
    let region = if names.len() == 1 { params.region } else { 0 };
    if region > 0 && (params.crop == 0 || params.crop > region) {
        return Err(user_error(
            format!(
                "a single content is cut into crops inside of regions, but list_renderings.crop = {} and region = {region}",
                params.crop
            ),
            "set list_renderings.crop to the side of a crop in pixels, and region to a multiple of it",
        ));
    }
    let grid = Grid { crop: params.crop, step: params.step, region, val_fraction: params.val_fraction };
    let read = |name: &&str| {
        let layers = &layered[*name];
        let picture = content(files, layers, params.width)?;
        let (width, height) = picture.dimensions();
        let mut squares = grid.squares(name, (width, height));
        if squares.is_empty() && width.min(height) < params.crop {
            let first = layers.values().next().map_or("", |at| files.names[*at].as_str());
            return Err(user_error(
                format!("`{first}` has {width}x{height} pixels, fewer than a crop of {0}x{0}", params.crop),
                "set list_renderings.crop to a smaller value, or list_renderings.width to a larger one",
            ));
        }
        squares.retain(|square| {
            params.min_contrast == 0.0
                || contrast(&cut(&picture, (square.x, square.y), square.size)) >= params.min_contrast
        });
        Ok(Content { name: (*name).to_owned(), width, digest: digest(files, layers)?, squares })
    };
    names.par_iter().map(read).collect()
}

/// Images in the order of their contents, squares and styles.
fn images(contents: &[Content], styled: &Grouped, files: &[String]) -> Vec<Image> {
    let mut images = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        for square in &content.squares {
            for (style, file) in &styled[&content.name] {
                // A name stands for one place only, because verdicts refer to it in all profiles.
                let Square { x, y, size, .. } = square;
                let number = format!("w{}_x{x:04}_y{y:04}_s{size}", content.width);
                let named = |parts: &[&str]| {
                    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
                    parts.join("/")
                };
                images.push(Image {
                    id: named(&[&content.name, &number, style]),
                    frame_id: named(&[&content.name, &square.region, style]),
                    style: style.clone(),
                    file: files[*file].clone(),
                    content: at,
                    square: square.clone(),
                });
            }
        }
    }
    images
}

fn write_table(job: &Job, name: &str, columns: Vec<Column>) -> Result<()> {
    let mut table = job.table(name, schema_of(&columns))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

fn write(job: &Job, params: &Params, contents: &[Content], images: &[Image]) -> Result<()> {
    let training = images.iter().filter(|image| image.square.split == "train").map(|image| image.id.as_str());
    let chosen = choose(training, params.max_style_images, params.seed);
    let for_style = |image: &Image| image.square.split == "val" || chosen.contains(image.id.as_str());
    let each = || images.iter();
    let numbers = |of: fn(&Square) -> u32| int32s(each().map(|image| of(&image.square) as i32));
    let of_content = |image: &Image| &contents[image.content];
    write_table(
        job,
        "images",
        vec![
            ("image_id", strings(each().map(|image| &image.id))),
            ("frame_id", strings(each().map(|image| &image.frame_id))),
            ("style", strings(each().map(|image| &image.style))),
            ("crop", numbers(|square| square.number)),
            ("split", strings(each().map(|image| image.square.split))),
            ("for_style", bools(each().map(for_style))),
            ("file", strings(each().map(|image| &image.file))),
            ("content", strings(each().map(|image| &of_content(image).name))),
            ("width", int32s(each().map(|image| of_content(image).width as i32))),
            ("x", numbers(|square| square.x)),
            ("y", numbers(|square| square.y)),
            ("size", numbers(|square| square.size)),
            ("content_digest", strings(each().map(|image| &of_content(image).digest))),
        ],
    )?;
    let styles: BTreeMap<&str, &str> =
        each().map(|image| (image.frame_id.as_str(), image.style.as_str())).collect();
    write_table(job, "styles", vec![("frame_id", strings(styles.keys())), ("mode", strings(styles.values()))])
}
