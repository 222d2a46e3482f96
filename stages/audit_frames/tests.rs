//! Tests of a complete audit on synthetic measures.

use std::collections::BTreeMap;
use std::path::Path;

use callsheet_worker::table::{TableWriter, read_columns};

use super::audit;
use super::finding::{Finding, finding_schema, to_batch};
use super::frame::{Frame, read_frames};
use super::params::Params;
use crate::lib::columns::{batch, float64s, int32s, int64s, strings, vectors};

/// Returns the parameters as stage.toml declares them.
pub(super) fn declared() -> Params {
    let stage: toml::Table = include_str!("stage.toml").parse().expect("TOML");
    let params = stage["params"].as_table().expect("parameters").iter();
    let defaults: toml::Table =
        params.map(|(name, param)| (name.clone(), param["default"].clone())).collect();
    defaults.try_into().expect("parameters")
}

/// Frames of a video in which everything moves a little, and nothing is wrong.
pub(super) fn timelapse(video: &str, count: usize) -> Vec<Frame> {
    let frame = |at: usize| Frame {
        frame_id: format!("{video}#{at:06}"),
        video: video.to_owned(),
        time_s: at as f64 / 10.0,
        pixels: 1920.0 * 1080.0,
        content_digest: format!("{video} {at}"),
        sharpness: 200.0 + 30.0 * (at as f64).sin(),
        black_share: 0.1,
        clipped_low_share: 0.01,
        clipped_high_share: 0.02,
        perceptual_hash: (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        features: (0..384)
            .map(|i| 120.0 + 60.0 * (i as f32).sin() + 5.0 * (at as f32 * 0.7 + i as f32).sin())
            .collect(),
    };
    (0..count).map(frame).collect()
}

/// Frames of findings, in their order.
pub(super) fn ids<'a>(findings: &[Finding<'a>]) -> Vec<&'a str> {
    findings.iter().map(|finding| finding.frame.frame_id.as_str()).collect()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let frames = [timelapse("a.mp4", 500), timelapse("b.mp4", 30)].concat();
    let findings = audit(&frames, &declared(), |_| ());
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn findings_come_by_frame_and_kind_and_of_black_frames_nothing_else() {
    let mut frames = timelapse("a.mp4", 60);
    for frame in &mut frames[30..34] {
        (frame.black_share, frame.clipped_low_share, frame.sharpness) = (1.0, 1.0, 0.0);
        (frame.content_digest, frame.perceptual_hash) = ("black".to_owned(), 0);
        frame.features.fill(0.0);
    }
    for at in 11..15 {
        (frames[at].content_digest, frames[at].perceptual_hash) =
            (frames[10].content_digest.clone(), frames[10].perceptual_hash);
        frames[at].features = frames[10].features.clone();
    }
    (frames[12].sharpness, frames[12].clipped_high_share) = (2.0, 0.9);
    let findings = audit(&frames, &declared(), |_| ());
    let said: Vec<(usize, &str)> =
        findings.iter().map(|f| (f.frame.frame_id[6..].parse().expect("an index"), f.kind)).collect();
    let stuck = |at| [(at, "duplicate"), (at, "frozen")];
    let sharp = [(12, "blurred"), (12, "clipped"), (12, "duplicate"), (12, "frozen")];
    let black = (30..34).map(|at| (at, "black"));
    let wanted = stuck(11).into_iter().chain(sharp).chain(stuck(13)).chain(stuck(14)).chain(black);
    assert_eq!(said, wanted.collect::<Vec<_>>());
    assert!(findings.iter().all(|f| f.score.is_finite() && f.threshold.is_finite()));
}

#[test]
fn zero_one_or_two_frames_give_a_table_without_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    for count in 0..3 {
        let path = folder.path().join(format!("{count}.parquet"));
        write_measures(&path, &timelapse("a.mp4", count));
        let frames = read_frames(&path).expect("measures");
        assert_eq!(frames.len(), count);
        let findings = audit(&frames, &declared(), |_| ());
        let path = folder.path().join("findings.parquet");
        let mut table = TableWriter::create(&path, finding_schema(), &BTreeMap::new()).expect("created");
        table.write(&to_batch(&findings).expect("rows")).expect("written");
        table.finish().expect("finished");
        let rows = read_columns(&path, &[]).expect("a table");
        assert_eq!((rows.num_rows(), rows.num_columns()), (0, 6));
    }
}

#[test]
fn frames_are_read_in_the_order_of_videos_and_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("measures.parquet");
    let mut shuffled = [timelapse("b.mp4", 3), timelapse("a.mp4", 3)].concat();
    shuffled.swap(0, 2);
    write_measures(&path, &shuffled);
    let frames = read_frames(&path).expect("measures");
    let wanted = [timelapse("a.mp4", 3), timelapse("b.mp4", 3)].concat();
    let ids = |frames: &[Frame]| frames.iter().map(|frame| frame.frame_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&frames), ids(&wanted));
    assert_eq!(frames[4].features, wanted[4].features);
    assert_eq!(frames[4].perceptual_hash, wanted[4].perceptual_hash);
}

fn write_measures(path: &Path, frames: &[Frame]) {
    let number = |value: fn(&Frame) -> f64| float64s(frames.iter().map(value));
    let text = |value: fn(&Frame) -> &String| strings(frames.iter().map(value));
    let features = frames.iter().flat_map(|frame| frame.features.clone()).collect();
    let rows = batch(vec![
        ("frame_id", text(|f| &f.frame_id)),
        ("video", text(|f| &f.video)),
        ("time_s", number(|f| f.time_s)),
        ("width", int32s(frames.iter().map(|_| 1920))),
        ("height", int32s(frames.iter().map(|_| 1080))),
        ("content_digest", text(|f| &f.content_digest)),
        ("sharpness", number(|f| f.sharpness)),
        ("black_share", number(|f| f.black_share)),
        ("clipped_low_share", number(|f| f.clipped_low_share)),
        ("clipped_high_share", number(|f| f.clipped_high_share)),
        ("perceptual_hash", int64s(frames.iter().map(|f| f.perceptual_hash.cast_signed()))),
        ("features", vectors(384, features).expect("vectors")),
    ])
    .expect("rows");
    let mut table =
        TableWriter::create(path, rows.schema().as_ref().clone(), &BTreeMap::new()).expect("created");
    table.write(&rows).expect("written");
    table.finish().expect("finished");
}
