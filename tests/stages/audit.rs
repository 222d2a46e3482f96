//! Faults planted in a video, which `audit_frames` must find.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;

use crate::flagship::{ffmpeg, latest, project_of, rows};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use tempfile::TempDir;

const PIPELINE: &str = r#"
summary = "Quality findings of a growing folder of videos"

[sources.footage]
path = "data/raw/footage/*.mp4"
hint = "encode some"

[stages.list_frames]
inputs.videos = "footage"

[stages.extract_frames]
inputs.list = "list_frames.list"
inputs.videos = "footage"

[stages.measure_frames]
inputs.frames = "extract_frames.frames"

[stages.audit_frames]
inputs.measures = "measure_frames.measures"
"#;

/// Filters that plant faults in some frames; frames 61 to 67 repeat frame 60.
const FAULTS: &str = "loop=loop=7:size=1:start=61,setpts=N/10/TB,\
    gblur=sigma=8:enable='between(n,20,27)',\
    drawbox=color=black:t=fill:enable='between(n,40,42)',\
    drawbox=w=iw*0.4:color=white:t=fill:enable='between(n,50,51)',\
    negate=enable='eq(n,75)'";

/// Encodes frames of ffmpeg's test pattern under a filter, with paler colours to avoid clipping.
fn video(project: &TempDir, name: &str, filter: &str, frames: usize) {
    let path = project.path().join(format!("data/raw/footage/{name}.mp4"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    let source = "testsrc2=size=320x180:rate=10";
    let filter = format!("lutyuv=y=50+val*0.6:u=76+val*0.4:v=76+val*0.4,{filter}");
    let (frames, path) = (frames.to_string(), path.display().to_string());
    let how = ["-frames:v", &frames, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", "10", &path];
    ffmpeg(&[&["-f", "lavfi", "-i", source, "-vf", &filter], &how[..]].concat());
}

/// Frames of each kind of finding.
fn findings(project: &TempDir) -> BTreeMap<String, BTreeSet<String>> {
    let path = latest(project, "audit_frames/findings.parquet");
    let table = callsheet_worker::table::read_columns(&path, &[]).expect("findings");
    let text = |name: &str| table[name].as_string::<i32>().clone();
    let (frames, kinds, reasons) = (text("frame_id"), text("finding"), text("reason"));
    let others = text("other_frame_id");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut keys = Vec::new();
    for row in 0..table.num_rows() {
        let (frame, kind) = (frames.value(row).to_owned(), kinds.value(row).to_owned());
        assert!(!reasons.value(row).is_empty());
        assert_eq!(others.is_valid(row), ["duplicate", "frozen"].contains(&kind.as_str()), "{frame} {kind}");
        keys.push((frame.clone(), kind.clone()));
        found.entry(kind).or_default().insert(frame);
    }
    assert!(keys.is_sorted());
    let number = |name: &str| table[name].as_primitive::<Float64Type>().clone();
    assert!(number("score").values().iter().chain(number("threshold").values()).all(|n| n.is_finite()));
    found
}

fn frames(video: &str, range: Range<usize>) -> BTreeSet<String> {
    range.map(|index| format!("{video}.mp4#{index:06}")).collect()
}

#[test]
fn planted_faults_are_found_and_only_new_frames_are_measured() {
    let project = project_of("growing", PIPELINE);
    video(&project, "b", FAULTS, 90);
    assert_eq!(rows(&project, &[])["measure_frames"], (90, 90));
    let found = findings(&project);
    assert_eq!(found["black"], frames("b", 40..43));
    assert_eq!(found["blurred"], frames("b", 20..28));
    assert_eq!(found["clipped"], frames("b", 50..52));
    assert_eq!(found["frozen"], frames("b", 61..68));
    assert_eq!(found["outlying"], &frames("b", 50..52) | &frames("b", 75..76));
    assert!(found["duplicate"].is_subset(&found["frozen"]));
    let wanted = ["black", "blurred", "clipped", "duplicate", "frozen", "outlying"];
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted);

    video(&project, "a", "null", 10);
    assert_eq!(rows(&project, &[])["measure_frames"], (10, 100));
    assert_eq!(findings(&project), found, "the ten new frames have no faults and resemble no other frame");
}

#[test]
fn a_video_without_faults_has_a_table_without_rows() {
    let project = project_of("growing", PIPELINE);
    video(&project, "a", "null", 40);
    assert_eq!(rows(&project, &[])["measure_frames"], (40, 40));
    assert!(findings(&project).is_empty());
}
