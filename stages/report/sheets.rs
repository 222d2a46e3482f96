//! What each contact sheet shows.

use std::collections::BTreeMap;
use std::iter;
use std::path::Path;

use anyhow::Result;
use callsheet::table::read_columns;
use callsheet_sheet::{Cell, Row, Sheet};
use image::RgbImage;
use tch::{Tensor, no_grad};

use crate::columns::{read_float64s, read_int32s, read_strings};
use crate::data::{Pairs, spread, to_picture};
use crate::evaluate_images::psnr;
use crate::model::Model;
use crate::nn::mapper::Mapper;

/// Images that go through a network together.
pub const BATCH: i64 = 16;

/// An image's id without the name of its video, to fit under a picture.
fn short(id: &str) -> &str {
    id.rfind('#').map_or(id, |at| &id[at..])
}

/// Per cluster, largest first, the `rows` images nearest to its centre.
pub fn clusters(table: &Path, pairs: &Path, rows: usize) -> Result<Sheet> {
    let columns = read_columns(table, &["image_id", "cluster", "size", "distance"])?;
    let (ids, clusters) = (read_strings(&columns, "image_id")?, read_int32s(&columns, "cluster")?);
    let (sizes, distances) = (read_int32s(&columns, "size")?, read_float64s(&columns, "distance")?);
    let mut members: BTreeMap<(i32, i32), Vec<usize>> = BTreeMap::new();
    for (n, cluster) in clusters.iter().enumerate() {
        members.entry((-sizes[n], *cluster)).or_default().push(n);
    }
    for images in members.values_mut() {
        images.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        images.truncate(rows);
    }
    let wanted: Vec<&str> = members.values().flatten().map(|n| ids[*n].as_str()).collect();
    let pictures = styles(pairs, &wanted)?;
    let row = |((size, cluster), images): ((i32, i32), Vec<usize>)| {
        let cells = images.into_iter().map(|n| Cell::new(pictures[&ids[n]].clone(), short(&ids[n])));
        Row { label: format!("cluster {cluster}: {} images", -size), cells: cells.collect() }
    };
    let rows = members.into_iter().map(row).collect();
    Ok(Sheet { name: "clusters", title: "Style clusters, nearest to the centre first".into(), rows })
}

/// `rows` triplets with their style distances.
pub fn triplets(table: &Path, pairs: &Path, rows: usize) -> Result<Sheet> {
    let names = ["anchor_id", "positive_id", "negative_id", "positive_distance", "negative_distance"];
    let columns = read_columns(table, &names)?;
    let ids = names[..3].iter().map(|name| read_strings(&columns, name)).collect::<Result<Vec<_>>>()?;
    let distances =
        names[3..].iter().map(|name| read_float64s(&columns, name)).collect::<Result<Vec<_>>>()?;
    let chosen = spread(columns.num_rows(), rows);
    let wanted: Vec<&str> =
        chosen.iter().flat_map(|n| ids.iter().map(|column| column[*n].as_str())).collect();
    let pictures = styles(pairs, &wanted)?;
    let row = |n: usize| {
        let captions = [
            "anchor".to_owned(),
            format!("positive {:.3e}", distances[0][n]),
            format!("negative {:.3e}", distances[1][n]),
        ];
        let cells =
            ids.iter().zip(captions).map(|(column, text)| Cell::new(pictures[&column[n]].clone(), text));
        Row { label: short(&ids[0][n]).to_owned(), cells: cells.collect() }
    };
    let rows = chosen.into_iter().map(row).collect();
    Ok(Sheet { name: "triplets", title: "Triplets by style distance".into(), rows })
}

fn styles(pairs: &Path, ids: &[&str]) -> Result<BTreeMap<String, RgbImage>> {
    let chosen = Pairs::choose(pairs, ids)?;
    Ok(chosen.image_ids.iter().cloned().zip(pictures(&chosen.b)).collect())
}

/// A | output | B of validation pairs.
///
/// # Errors
/// When the outputs are of another size than B.
pub fn reconstruction(val: &Pairs, outputs: &Tensor) -> Result<Sheet> {
    let psnrs = psnr(outputs, &val.b)?;
    let columns = [&val.a, outputs, &val.b].map(pictures);
    let [a, y, b] = columns.map(Vec::into_iter);
    let row = |(n, ((a, y), b)): (usize, ((RgbImage, RgbImage), RgbImage))| {
        let output = format!("output {:.1} dB", psnrs[n]);
        let cells = vec![Cell::new(a, "A"), Cell::new(y, output), Cell::new(b, "B")];
        Row { label: short(&val.image_ids[n]).to_owned(), cells }
    };
    let rows = a.zip(y).zip(b).enumerate().map(row).collect();
    Ok(Sheet { name: "reconstruction", title: "Validation pairs: A | output | B".into(), rows })
}

/// Every style on every content: the styles above, the contents on the left.
pub fn transfers(styled: &Styled, val: &Pairs) -> Sheet {
    let (contents, styles) = (pictures(&val.a), pictures(&val.b));
    let header = styles.into_iter().map(|style| Cell::new(style, "style"));
    let mut rows = vec![Row::plain(iter::once(Cell::gap()).chain(header).collect())];
    for (n, content) in contents.into_iter().enumerate() {
        let outputs = styled.remake(&val.a.get(n as i64), &styled.codes);
        let outputs = outputs.into_iter().map(|picture| Cell::new(picture, ""));
        rows.push(Row::plain(iter::once(Cell::new(content, "A")).chain(outputs).collect()));
    }
    Sheet { name: "transfers", title: "Style transfer on validation images".into(), rows }
}

/// Contents under styles that the mapper made of `noise` [rows, columns, 8].
pub fn samples(styled: &Styled, mapper: &Mapper, val: &Pairs, noise: &Tensor) -> Sheet {
    let row = |(n, content): (usize, RgbImage)| {
        let codes = no_grad(|| mapper.forward(&noise.get(n as i64)));
        let outputs = styled.remake(&val.a.get(n as i64), &codes);
        let outputs = outputs.into_iter().map(|picture| Cell::new(picture, ""));
        Row::plain(iter::once(Cell::new(content, "A")).chain(outputs).collect())
    };
    let rows = pictures(&val.a).into_iter().enumerate().map(row).collect();
    Sheet { name: "samples", title: "Styles sampled through the mapper".into(), rows }
}

/// From the style of each image to that of one half the set away, `z_t = (1 - t) z_1 + t z_2`.
pub fn interpolation(styled: &Styled, val: &Pairs, steps: usize) -> Sheet {
    let (contents, styles) = (pictures(&val.a), pictures(&val.b));
    let count = styles.len();
    let row = |(n, content): (usize, RgbImage)| {
        let other = (n + count / 2) % count;
        let [from, to] = [n, other].map(|k| styled.codes.get(k as i64));
        let times: Vec<f64> = (0..steps).map(|k| k as f64 / (steps.max(2) - 1) as f64).collect();
        let codes: Vec<Tensor> = times.iter().map(|t| &from * (1.0 - t) + &to * *t).collect();
        let outputs = styled.remake(&val.a.get(n as i64), &Tensor::stack(&codes, 0));
        let mut cells = vec![Cell::new(content, "A"), Cell::new(styles[n].clone(), "style 1")];
        cells.extend(
            outputs.into_iter().zip(times).map(|(picture, t)| Cell::new(picture, format!("t = {t:.2}"))),
        );
        cells.push(Cell::new(styles[other].clone(), "style 2"));
        Row::plain(cells)
    };
    let rows = contents.into_iter().enumerate().map(row).collect();
    Sheet { name: "interpolation", title: "Between two styles".into(), rows }
}

/// The generator, and the codes of the images shown.
pub struct Styled {
    /// With averaged weights.
    pub model: Model,
    /// [N, 8].
    pub codes: Tensor,
}

impl Styled {
    /// Content `a` [3, H, W] under each of `codes` [K, 8].
    fn remake(&self, a: &Tensor, codes: &Tensor) -> Vec<RgbImage> {
        let size = a.size();
        let contents = a.unsqueeze(0).expand([codes.size()[0], size[0], size[1], size[2]], false);
        pictures(&self.model.outputs(&contents, codes, BATCH))
    }
}

/// Images [N, 3, H, W] in 0..255.
fn pictures(images: &Tensor) -> Vec<RgbImage> {
    (0..images.size()[0]).map(|n| to_picture(&images.get(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_choice_is_of_different_crops_and_stays_in_range() {
        let crops: std::collections::BTreeSet<usize> = spread(96, 8).into_iter().map(|n| n % 8).collect();
        assert!(crops.len() > 4, "{crops:?}");
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert!(spread(100, 7).into_iter().all(|n| n < 100));
    }

    #[test]
    fn ids_are_shown_without_their_video() {
        assert_eq!(short("a/2015-03.mp4#000123/c4"), "#000123/c4");
        assert_eq!(short("photo"), "photo");
    }
}
