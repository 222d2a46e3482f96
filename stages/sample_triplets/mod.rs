//! Triplets for the style encoder: an anchor, an image of similar style, and an image of different style.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow};
use arrow::datatypes::DataType;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Deserialize;

use crate::lib::columns::{
    batch, float64s, int32s, int64s, read_float64s, read_int32s, read_strings, schema, strings, write_table,
};
use crate::lib::random::stream;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    method: String,
    visits: usize,
    seed: i64,
}

/// An image and its distance from the anchor.
type Neighbour = (String, f64);
/// A drawn positive and a drawn negative.
type Drawn<'a> = (&'a Neighbour, &'a Neighbour);

/// Neighbours of one image with their distances, nearest or farthest first.
#[derive(Default)]
struct Lists {
    near: Vec<Neighbour>,
    far: Vec<Neighbour>,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if distances and clusters belong to different images.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let lists = read_lists(job.input("neighbours")?)?;
    let clusters = read_clusters(job.input("clusters")?)?;
    let cluster = |id: &str| {
        clusters.get(id).copied().ok_or_else(|| {
            user_error(
                format!("image `{id}` has neighbours but no cluster"),
                "compute both from the same Gram features",
            )
        })
    };
    let text = DataType::Utf8;
    let mut table = job.table(
        "triplets",
        schema(&[
            ("visit", DataType::Int32),
            ("anchor_id", text.clone()),
            ("positive_id", text.clone()),
            ("negative_id", text),
            ("positive_distance", DataType::Float64),
            ("negative_distance", DataType::Float64),
            ("anchor_cluster", DataType::Int32),
            ("positive_cluster", DataType::Int32),
            ("negative_cluster", DataType::Int32),
        ]),
    )?;
    let mut usage = Usage::default();
    for visit in 0..params.visits {
        let mut chosen: Vec<Drawn> = Vec::with_capacity(lists.len());
        for (position, (anchor, lists)) in lists.iter().enumerate() {
            // A draw depends only on the seed, the anchor and the visit.
            let mut random = stream(params.seed, anchor, visit as u64);
            let drawn = if params.method == "clusters" {
                by_cluster(lists, cluster(anchor)?, &clusters, &mut random)
            } else {
                lists.near.choose(&mut random).zip(lists.far.choose(&mut random))
            };
            chosen.push(drawn.ok_or_else(|| anyhow!("image {position} (`{anchor}`) has no neighbours"))?);
        }
        chosen.iter().for_each(|(positive, negative)| usage.count(&positive.0, &negative.0));
        let anchors: Vec<&String> = lists.keys().collect();
        let column = |ids: Vec<&String>| -> Result<_> {
            Ok(int32s(ids.into_iter().map(|id| cluster(id)).collect::<Result<Vec<_>>>()?))
        };
        table.write(&batch(vec![
            ("visit", int32s(anchors.iter().map(|_| visit as i32))),
            ("anchor_id", strings(&anchors)),
            ("positive_id", strings(chosen.iter().map(|(p, _)| &p.0))),
            ("negative_id", strings(chosen.iter().map(|(_, n)| &n.0))),
            ("positive_distance", float64s(chosen.iter().map(|(p, _)| p.1))),
            ("negative_distance", float64s(chosen.iter().map(|(_, n)| n.1))),
            ("anchor_cluster", column(anchors.clone())?),
            ("positive_cluster", column(chosen.iter().map(|(p, _)| &p.0).collect())?),
            ("negative_cluster", column(chosen.iter().map(|(_, n)| &n.0).collect())?),
        ])?)?;
        job.progress(visit + 1, params.visits, "visits");
    }
    table.finish()?;
    usage.write(job, &lists, &clusters)
}

/// Number of times that each image was drawn, as a positive and as a negative.
#[derive(Default)]
struct Usage(BTreeMap<String, [i64; 2]>);

impl Usage {
    fn count(&mut self, positive: &str, negative: &str) {
        for (place, id) in [positive, negative].into_iter().enumerate() {
            self.0.entry(id.to_owned()).or_default()[place] += 1;
        }
    }

    /// Writes a row for each image, also for those that were never drawn.
    fn write(
        &self,
        job: &Job,
        lists: &BTreeMap<String, Lists>,
        clusters: &BTreeMap<String, i32>,
    ) -> Result<()> {
        let drawn = |id: &String| self.0.get(id).copied().unwrap_or_default();
        let negatives = || lists.keys().map(|id| drawn(id)[1]);
        let total: i64 = negatives().sum();
        job.metric("negatives/images", 0, negatives().filter(|count| *count > 0).count() as f64);
        let most = negatives().max().unwrap_or_default();
        job.metric("negatives/largest_share", 0, most as f64 / total.max(1) as f64);
        write_table(
            job,
            "usage",
            vec![
                ("image_id", strings(lists.keys())),
                ("cluster", int32s(lists.keys().map(|id| clusters.get(id).copied().unwrap_or(-1)))),
                ("positives", int64s(lists.keys().map(|id| drawn(id)[0]))),
                ("negatives", int64s(negatives())),
            ],
        )
    }
}

/// Draws a positive of the anchor's cluster if one is near, and a negative of another cluster. The negative's
/// cluster is drawn first and then the image, so that a cluster with many far images does not dominate the
/// negatives.
fn by_cluster<'a>(
    lists: &'a Lists,
    own: i32,
    clusters: &BTreeMap<String, i32>,
    random: &mut impl Rng,
) -> Option<Drawn<'a>> {
    let of = |item: &Neighbour| clusters.get(&item.0).copied().unwrap_or(-1);
    let same: Vec<&Neighbour> = lists.near.iter().filter(|item| of(item) == own).collect();
    let positive = same.choose(random).copied().or_else(|| lists.near.first())?;
    let mut far: BTreeMap<i32, Vec<&Neighbour>> = BTreeMap::new();
    for item in lists.far.iter().filter(|item| of(item) != own) {
        far.entry(of(item)).or_default().push(item);
    }
    let groups: Vec<_> = far.values().collect();
    let negative = groups.choose(random).and_then(|group| group.choose(random)).copied();
    Some((positive, negative.or_else(|| lists.far.first())?))
}

fn read_lists(path: &Path) -> Result<BTreeMap<String, Lists>> {
    let rows = read_columns(path, &["image_id", "side", "neighbour_id", "distance"])?;
    let (ids, sides) = (read_strings(&rows, "image_id")?, read_strings(&rows, "side")?);
    let (others, distances) = (read_strings(&rows, "neighbour_id")?, read_float64s(&rows, "distance")?);
    let mut lists: BTreeMap<String, Lists> = BTreeMap::new();
    for (((id, side), other), distance) in ids.into_iter().zip(sides).zip(others).zip(distances) {
        let lists = lists.entry(id).or_default();
        let list = if side == "near" { &mut lists.near } else { &mut lists.far };
        list.push((other, distance));
    }
    Ok(lists)
}

fn read_clusters(path: &Path) -> Result<BTreeMap<String, i32>> {
    let rows = read_columns(path, &["image_id", "cluster"])?;
    Ok(read_strings(&rows, "image_id")?.into_iter().zip(read_int32s(&rows, "cluster")?).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positives_are_of_the_anchor_s_cluster_and_negatives_drawn_by_cluster_first() {
        let image = |name: &str| (name.to_owned(), 1.0);
        // One image of cluster 2 and three of cluster 1 are far.
        let lists = Lists { near: ["b", "a"].map(image).into(), far: ["c", "d", "e", "f"].map(image).into() };
        let clusters = [("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 1), ("f", 2)];
        let clusters: BTreeMap<String, i32> = clusters.map(|(id, cluster)| (id.to_owned(), cluster)).into();
        let mut outliers = 0;
        for visit in 0..1000 {
            let mut random = stream(0, "anchor", visit);
            let (positive, negative) = by_cluster(&lists, 0, &clusters, &mut random).expect("a triplet");
            assert_eq!(positive.0, "a");
            outliers += usize::from(negative.0 == "f");
        }
        assert!((450..550).contains(&outliers), "{outliers} of 1,000");
    }
}
