//! Comparison of diversities.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::compare_methods::bootstrap::{Group, interval};
use crate::compare_methods::name;
use crate::lib::columns::{
    Column, float64s, int32s, read_float64s, read_int32s, read_strings, strings, write_table,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    resamples: usize,
    seed: i64,
}

/// Columns of each measurement: the mean, and the ends of its interval.
const FIGURES: [[&str; 3]; 2] = [
    ["consecutive", "consecutive_low", "consecutive_high"],
    ["all_pairs", "all_pairs_low", "all_pairs_high"],
];

/// Measurements of one source of styles.
struct Measured {
    name: String,
    /// Values of each of [`FIGURES`], by content.
    values: [Vec<f64>; FIGURES.len()],
    styles: i32,
    /// Name of the distance, and source of its network.
    distance: [String; 2],
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if there is nothing to compare, or diversities were measured with different distances.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let input = job.files("diversities")?;
    let names = input.values.iter().map(name).chain(std::iter::repeat(String::new()));
    let all = input.paths.iter().zip(names).map(|(path, name)| Measured::read(path, name));
    let all = all.collect::<Result<Vec<_>>>()?;
    if let Some(pair) = all.windows(2).find(|pair| pair[0].distance != pair[1].distance) {
        let said = [&pair[0], &pair[1]].map(|one| format!("{}: {}", one.name, one.distance.join(", ")));
        let help = "measure all with the same crop, trunk and heads";
        return Err(user_error(format!("distances differ: {}", said.join("; ")), help));
    }
    let mut columns: Vec<Column> = vec![
        ("styles_from", strings(all.iter().map(|one| &one.name))),
        ("contents", int32s(all.iter().map(|one| one.values[0].len() as i32))),
        ("styles", int32s(all.iter().map(|one| one.styles))),
    ];
    for (metric, names) in FIGURES.into_iter().enumerate() {
        let mut figures = [const { Vec::new() }; 3];
        for one in &all {
            let groups: Vec<Group> = one.values[metric].iter().map(|value| (*value, 1)).collect();
            let found = interval(&groups, params.resamples, params.seed);
            figures.iter_mut().zip(found).for_each(|(column, value)| column.push(value));
        }
        columns.extend(names.into_iter().zip(figures.map(float64s)));
    }
    for (n, column) in ["distance_name", "distance_weights"].into_iter().enumerate() {
        columns.push((column, strings(all.iter().map(|one| &one.distance[n]))));
    }
    write_table(job, "diversity", columns)
}

impl Measured {
    fn read(path: &Path, name: String) -> Result<Self> {
        let rows = read_columns(path, &[])?;
        let first = |name: &str| Ok::<_, anyhow::Error>(read_strings(&rows, name)?.into_iter().next());
        let Some((distance, weights)) = first("distance_name")?.zip(first("distance_weights")?) else {
            return Err(user_error(
                format!("nothing was measured with styles from `{name}`: there is no validation image"),
                "set list_images.val_fraction, or split_pairs, so that there are validation images",
            ));
        };
        let values = [read_float64s(&rows, "consecutive")?, read_float64s(&rows, "all_pairs")?];
        Ok(Self { name, values, styles: read_int32s(&rows, "styles")?[0], distance: [distance, weights] })
    }
}
