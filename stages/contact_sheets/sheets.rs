//! Contents of the contact sheets.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use callsheet_figures::sheet::{Cell, Row, Sheet};
use callsheet_worker::table::read_columns;
use image::RgbImage;
use tch::Tensor;

use crate::lib::columns::{read_float64s, read_int32s, read_strings};
use crate::lib::data::{Pairs, spread};
use crate::lib::figures::pictures;
use crate::lib::metrics::{of_each, psnr};

/// Shortens an image's id by the name of its video, so that it fits under a picture.
fn short(id: &str) -> &str {
    id.rfind('#').map_or(id, |at| &id[at..])
}

/// Sheet with the `rows` images nearest to the centre of each cluster, the largest cluster first.
pub(super) fn clusters(table: &Path, pairs: &Path, rows: usize) -> Result<Sheet> {
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
    Ok(Sheet { title: "Style clusters, nearest to the centre first".into(), rows })
}

/// Sheet of `rows` triplets with their style distances.
pub(super) fn triplets(table: &Path, pairs: &Path, rows: usize) -> Result<Sheet> {
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
    Ok(Sheet { title: "Triplets by style distance".into(), rows })
}

fn styles(pairs: &Path, ids: &[&str]) -> Result<BTreeMap<String, RgbImage>> {
    let chosen = Pairs::choose(pairs, ids)?;
    Ok(chosen.image_ids.iter().cloned().zip(pictures(&chosen.b)).collect())
}

/// Sheet of validation pairs: A | output | B.
///
/// # Errors
/// Returns an error if the outputs differ in size from B.
pub(super) fn reconstruction(val: &Pairs, outputs: &Tensor) -> Result<Sheet> {
    let psnrs = of_each(psnr, outputs, &val.b)?;
    let columns = [&val.a, outputs, &val.b].map(pictures);
    let [a, y, b] = columns.map(Vec::into_iter);
    let row = |(n, ((a, y), b)): (usize, ((RgbImage, RgbImage), RgbImage))| {
        let output = format!("output {:.1} dB", psnrs[n]);
        let cells = vec![Cell::new(a, "A"), Cell::new(y, output), Cell::new(b, "B")];
        Row { label: short(&val.image_ids[n]).to_owned(), cells }
    };
    let rows = a.zip(y).zip(b).enumerate().map(row).collect();
    Ok(Sheet { title: "Validation pairs: A | output | B".into(), rows })
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
