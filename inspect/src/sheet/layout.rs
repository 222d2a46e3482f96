//! Places of pictures on a sheet, derived from the columns of a table.

use std::collections::BTreeMap;

use miette::{IntoDiagnostic, Result, miette};
use polars::prelude::*;

use crate::code;
use crate::frame::{collect, row_number, short};
use crate::table::is_image;

/// Options of the user.
pub(super) struct Options {
    /// Largest number of rows of pictures.
    pub rows: usize,
    /// Number of pictures side by side.
    pub columns: usize,
    /// True if the hardest triplets are selected.
    pub hardest: bool,
    /// True if the closest pairs are selected.
    pub nearest: bool,
}

/// Place of a picture.
pub(super) struct Place {
    /// Id of the image or frame.
    pub id: String,
    /// Text under the picture.
    pub caption: String,
}

/// Row of places.
pub(super) struct LaidRow {
    /// Text above the row.
    pub label: String,
    /// Places from left to right; `None` is a gap.
    pub places: Vec<Option<Place>>,
}

/// Sheet without its pictures.
pub(super) struct Layout {
    /// Title of the sheet.
    pub title: String,
    /// Column by which pictures are found: `image_id`, `frame_id`, or the first column of texts.
    pub key: String,
    /// Rows from top to bottom.
    pub rows: Vec<LaidRow>,
}

impl Layout {
    /// Places of all pictures.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.rows.iter().flat_map(|row| &row.places).flatten()
    }
}

/// Lays out the pictures of a table; the columns determine the layout. `draw` selects random rows, or the
/// first rows.
///
/// # Errors
/// Returns an error if no column contains ids of images, or the table cannot be read.
pub(super) fn lay_out(
    frame: &LazyFrame,
    schema: &Schema,
    draw: impl Fn(usize) -> Result<LazyFrame>,
    options: &Options,
) -> Result<Layout> {
    let has = |names: &[&str]| names.iter().all(|name| schema.contains(name));
    if has(&["image_id", "cluster", "distance"]) {
        return clusters(frame, options);
    }
    if has(&["anchor_id", "positive_id", "negative_id"]) {
        return triplets(frame, has(&["positive_distance", "negative_distance"]), draw, options);
    }
    if has(&["image_id", "neighbour_id", "distance"]) {
        return pairs(frame, draw, options);
    }
    if has(&["frame_id", "finding", "score"]) {
        return findings(frame, options);
    }
    let has_images = schema.iter().any(|(_, kind)| is_image(kind));
    let texts = schema.iter().filter(|(_, kind)| has_images && **kind == DataType::String);
    let keys = ["image_id", "frame_id"].into_iter().filter(|key| schema.contains(key));
    let Some(key) = keys.chain(texts.map(|(name, _)| name.as_str())).next() else {
        let known: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
        return Err(miette!(
            code = code::UNSUPPORTED,
            help = format!(
                "use a table with the column `image_id` or `frame_id`, or with a column of images and one of texts; columns \
                 of this table: {}",
                known.join(", ")
            ),
            "the table has no column with ids of images"
        ));
    };
    grid(&draw(options.rows.saturating_mul(options.columns))?, schema, key, options)
}

fn clusters(frame: &LazyFrame, options: &Options) -> Result<Layout> {
    let distance = col("distance").cast(DataType::Float64);
    let columns = [col("image_id"), col("cluster").cast(DataType::String), distance];
    let rows = collect(frame.clone().select(columns))?;
    let (ids, distances) = (texts(&rows, "image_id")?, floats(&rows, "distance")?);
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, cluster) in texts(&rows, "cluster")?.into_iter().enumerate() {
        members.entry(cluster).or_default().push(row);
    }
    let mut clusters: Vec<(String, Vec<usize>)> = members.into_iter().collect();
    clusters.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let all = clusters.len();
    clusters.truncate(options.rows);
    let half = (options.columns / 2).max(1);
    let row = |(cluster, mut rows): (String, Vec<usize>)| {
        rows.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]).then(ids[*a].cmp(&ids[*b])));
        let place = |row: usize| {
            let id = ids[row].clone();
            Some(Place { caption: format!("{} {}", short_id(&id), short(distances[row])), id })
        };
        let near = rows.iter().take(half).map(|row| place(*row));
        let far = rows.iter().skip(half.max(rows.len().saturating_sub(half))).map(|row| place(*row));
        let label =
            format!("cluster {cluster}: {} images, nearest to its centre and farthest from it", rows.len());
        LaidRow { label, places: near.chain(std::iter::once(None)).chain(far).collect() }
    };
    let title = match all > clusters.len() {
        true => format!("the {} largest of {all} clusters", clusters.len()),
        false => format!("{all} clusters, the largest first"),
    };
    Ok(Layout { title, key: "image_id".into(), rows: clusters.into_iter().map(row).collect() })
}

fn triplets(
    frame: &LazyFrame,
    with_distances: bool,
    draw: impl Fn(usize) -> Result<LazyFrame>,
    options: &Options,
) -> Result<Layout> {
    let names = ["positive_distance", "negative_distance"];
    if options.hardest && !with_distances {
        return Err(miette!(
            code = code::UNSUPPORTED,
            help = "use --hardest only for tables with the columns positive_distance and negative_distance",
            "the table has no distances"
        ));
    }
    let rows = match options.hardest {
        true => {
            let gap = col(names[1]).cast(DataType::Float64) - col(names[0]).cast(DataType::Float64);
            let unique = frame.clone().unique_stable(
                Some(by_name(["anchor_id", "positive_id", "negative_id"], true, false)),
                UniqueKeepStrategy::First,
            );
            unique
                .sort_by_exprs([gap, col("anchor_id")], SortMultipleOptions::default())
                .limit(row_number(options.rows))
        }
        false => draw(options.rows)?,
    };
    let rows = collect(rows)?;
    let ids = ["anchor_id", "positive_id", "negative_id"].map(|name| texts(&rows, name));
    let [anchors, positives, negatives] = ids;
    let (anchors, positives, negatives) = (anchors?, positives?, negatives?);
    let distances = match with_distances {
        true => [floats(&rows, names[0])?, floats(&rows, names[1])?],
        false => [Vec::new(), Vec::new()],
    };
    let caption = |role: &str, which: usize, row: usize| match distances[which].get(row) {
        Some(distance) => format!("{role} {}", short(*distance)),
        None => role.to_owned(),
    };
    let row = |row: usize| {
        let place = |id: &String, caption: String| Some(Place { id: id.clone(), caption });
        let places = vec![
            place(&anchors[row], "anchor".to_owned()),
            place(&positives[row], caption("positive", 0, row)),
            place(&negatives[row], caption("negative", 1, row)),
        ];
        let label = [&anchors, &positives, &negatives].map(|ids| short_id(&ids[row])).join(" | ");
        LaidRow { label, places }
    };
    let title = if options.hardest { "the hardest triplets" } else { "random triplets" };
    Ok(Layout { title: title.into(), key: "image_id".into(), rows: (0..rows.height()).map(row).collect() })
}

fn pairs(frame: &LazyFrame, draw: impl Fn(usize) -> Result<LazyFrame>, options: &Options) -> Result<Layout> {
    let side = options.columns.div_ceil(3).max(1);
    let count = options.rows.saturating_mul(side);
    let rows = match options.nearest {
        true => {
            // A table may contain a pair in both orders; one of them suffices.
            let (id, other) = (col("image_id"), col("neighbour_id"));
            let swapped = other.clone().lt(id.clone());
            let smaller = when(swapped.clone()).then(other.clone()).otherwise(id.clone());
            let larger = when(swapped).then(id).otherwise(other);
            let both = [smaller.alias("image_id"), larger.alias("neighbour_id"), col("distance")];
            let ends = by_name(["image_id", "neighbour_id"], true, false);
            let once = frame.clone().select(both).unique_stable(Some(ends), UniqueKeepStrategy::First);
            let order = ["distance", "image_id", "neighbour_id"];
            once.sort(order, SortMultipleOptions::default()).limit(row_number(count))
        }
        false => draw(count)?,
    };
    let rows = collect(rows)?;
    let (ids, others) = (texts(&rows, "image_id")?, texts(&rows, "neighbour_id")?);
    let distances = floats(&rows, "distance")?;
    let pair = |row: usize| {
        let place = |id: &String, caption: String| Some(Place { id: id.clone(), caption });
        [
            place(&ids[row], short_id(&ids[row]).to_owned()),
            place(&others[row], format!("{} at {}", short_id(&others[row]), short(distances[row]))),
            None,
        ]
    };
    let all: Vec<usize> = (0..rows.height()).collect();
    let row = |rows: &[usize]| LaidRow {
        label: String::new(),
        places: rows.iter().flat_map(|row| pair(*row)).collect(),
    };
    let title = if options.nearest { "the closest pairs" } else { "random pairs" };
    Ok(Layout { title: title.into(), key: "image_id".into(), rows: all.chunks(side).map(row).collect() })
}

fn findings(frame: &LazyFrame, options: &Options) -> Result<Layout> {
    let order = SortMultipleOptions::default().with_order_descending_multi([false, true, false]);
    let rows = collect(frame.clone().sort(["finding", "score", "frame_id"], order))?;
    let (ids, findings) = (texts(&rows, "frame_id")?, texts(&rows, "finding")?);
    let scores = floats(&rows, "score")?;
    let others = rows.column("other_frame_id").ok().map(|_| optional(&rows, "other_frame_id")).transpose()?;
    let reasons = rows.column("reason").ok().map(|_| optional(&rows, "reason")).transpose()?;
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, finding) in findings.iter().enumerate() {
        found.entry(finding).or_default().push(row);
    }
    let mut laid = Vec::new();
    for (finding, rows) in found {
        let place = |row: &usize| {
            let id = ids[*row].clone();
            let mut places =
                vec![Some(Place { caption: format!("{} {}", short_id(&id), short(scores[*row])), id })];
            if let Some(other) = others.as_ref().and_then(|others| others[*row].clone()) {
                places.push(Some(Place { caption: format!("as {}", short_id(&other)), id: other }));
            }
            places
        };
        let shown: Vec<Option<Place>> =
            rows.iter().flat_map(place).take(options.columns.saturating_mul(options.rows)).collect();
        let reason = reasons.as_ref().and_then(|reasons| reasons[rows[0]].clone());
        let reason = reason.map(|reason| format!(", e.g. {reason}")).unwrap_or_default();
        let mut label = format!("{finding}: {} frames{reason}", rows.len());
        let mut places = shown.into_iter().peekable();
        while places.peek().is_some() {
            let places: Vec<_> = places.by_ref().take(options.columns).collect();
            laid.push(LaidRow { label: std::mem::take(&mut label), places });
        }
    }
    let title = format!("{} findings, the highest scores first", rows.height());
    Ok(Layout { title, key: "frame_id".into(), rows: laid })
}

/// Lays out pictures in a grid, each with the value of the first other column of numbers.
fn grid(frame: &LazyFrame, schema: &Schema, key: &str, options: &Options) -> Result<Layout> {
    let said = schema.iter().filter(|(name, kind)| {
        name.as_str() != key
            && (kind.is_primitive_numeric() || matches!(kind, DataType::Float32 | DataType::Float64))
    });
    let said: Vec<String> = said.map(|(name, _)| name.to_string()).take(2).collect();
    let columns = said.iter().map(|name| col(name.as_str()).cast(DataType::Float64));
    let rows = collect(frame.clone().select(std::iter::once(col(key)).chain(columns).collect::<Vec<_>>()))?;
    let ids = texts(&rows, key)?;
    let values = said.iter().map(|name| floats(&rows, name)).collect::<Result<Vec<_>>>()?;
    let place = |row: usize| {
        let facts = said.iter().zip(&values).map(|(name, values)| format!("{name} {}", short(values[row])));
        let caption =
            std::iter::once(short_id(&ids[row]).to_owned()).chain(facts.take(1)).collect::<Vec<_>>();
        Some(Place { id: ids[row].clone(), caption: caption.join(" ") })
    };
    let all: Vec<usize> = (0..rows.height()).collect();
    let row = |rows: &[usize]| LaidRow {
        label: String::new(),
        places: rows.iter().map(|row| place(*row)).collect(),
    };
    let title = format!("{} rows", rows.height());
    Ok(Layout { title, key: key.to_owned(), rows: all.chunks(options.columns).map(row).collect() })
}

/// Id without the name of its video, so that it fits under a picture.
fn short_id(id: &str) -> &str {
    id.rfind('#').map_or(id, |at| &id[at..])
}

fn optional(rows: &DataFrame, name: &str) -> Result<Vec<Option<String>>> {
    let texts = rows.column(name).into_diagnostic()?.cast(&DataType::String).into_diagnostic()?;
    Ok(texts.str().into_diagnostic()?.iter().map(|text| text.map(str::to_owned)).collect())
}

fn texts(rows: &DataFrame, name: &str) -> Result<Vec<String>> {
    let texts = optional(rows, name)?.into_iter().collect::<Option<Vec<_>>>();
    texts.ok_or_else(|| miette!(code = code::UNSUPPORTED, "column `{name}` has nulls"))
}

fn floats(rows: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let numbers = rows.column(name).into_diagnostic()?.cast(&DataType::Float64).into_diagnostic()?;
    Ok(numbers.f64().into_diagnostic()?.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
