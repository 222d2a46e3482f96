//! Faults planted in a video, which `audit_frames` must find.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;

use crate::flagship::{callsheet, failures, ffmpeg, latest, project_of, project_with_dataset, rows};
use crate::pinned::check_outputs;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type};
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

/// A dataset of recordings for the pipeline `audit`, with the names of videos as its file has them.
fn recordings(videos: &str) -> TempDir {
    project_with_dataset(&format!(
        "summary = \"Mine\"\nimport = \"recordings\"\n\
         [sources.footage]\npath = \"data/raw/footage/*.mp4\"\n\
         [stages.plant_faults]\nforeach.video = [{videos}]\nforeach.seed = [0, 1]\n"
    ))
}

const AUDIT: [&str; 4] = ["--pipeline", "audit", "--dataset", "mine"];

#[test]
fn the_pipeline_audit_plants_faults_into_each_video_and_counts_those_that_are_found() {
    let project = recordings("\"a.mp4\", \"b.mp4\"");
    video(&project, "a", "null", 60);
    video(&project, "b", "null", 36);
    let counted = rows(&project, &AUDIT);
    assert_eq!(counted["measure_faulty@a.mp4-0"], (60, 60));
    assert_eq!(counted["measure_faulty@b.mp4-1"], (36, 36));

    let table = callsheet_worker::table::read_columns(&latest(&project, "evaluate_audit/audit.parquet"), &[]);
    let table = table.expect("a table");
    let text =
        |name: &str| table[name].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
    let number = |name: &str| table[name].as_primitive::<Int32Type>().values().to_vec();
    let (videos, findings) = (text("video"), text("finding"));
    let of: BTreeMap<(&str, &str), usize> =
        (0..table.num_rows()).map(|row| ((videos[row].as_str(), findings[row].as_str()), row)).collect();
    assert_eq!(of.len(), 18, "five kinds of faults and any, for two videos and for both");
    let (planted, found, listed, faulty) =
        (number("planted"), number("found"), number("listed"), number("faulty"));
    for finding in ["black", "clipped", "frozen"] {
        let row = of[&("all videos", finding)];
        assert!(
            planted[row] >= 2 && found[row] * 2 > planted[row],
            "{finding}: {} of {}",
            found[row],
            planted[row]
        );
    }
    let any = of[&("all videos", "any")];
    assert_eq!(planted[any], planted[of[&("a.mp4", "any")]] + planted[of[&("b.mp4", "any")]]);
    assert!(faulty[any] <= listed[any] && number("listed_before") == vec![0; 18]);

    let faults = latest(&project, "evaluate_audit/faults_found.parquet");
    let faults = callsheet_worker::table::read_columns(&faults, &["planting"]).expect("faults");
    assert_eq!(faults.num_rows() as i32, planted[any]);
    assert_eq!(faults["planting"].as_string::<i32>().value(0), "a.mp4-0");
    check_outputs(project.path(), "audit/mine");
}

#[test]
fn videos_that_are_unknown_or_too_short_get_no_faults() {
    for (videos, frames, wanted) in
        [("\"c.mp4\"", 24, "`c.mp4`"), ("\"a.mp4\"", 11, "has 11 frames of a.mp4; a fault needs 12")]
    {
        let project = recordings(videos);
        video(&project, "a", "null", frames);
        let said = failures(&callsheet(&project, &[&["run"], &AUDIT[..]].concat()));
        assert!(said.contains(wanted), "{said}");
    }
}
