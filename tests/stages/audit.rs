//! Faults planted in a video, which `audit_frames` must find.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::process::Command;

use crate::flagship::{
    callsheet, engine, failures, ffmpeg, latest, project, project_of, project_with_dataset, rows, stderr,
};
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
pub(crate) fn video(project: &TempDir, name: &str, filter: &str, frames: usize) {
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
    for finding in ["black", "frozen"] {
        let row = of[&("all videos", finding)];
        assert!(
            planted[row] >= 1 && found[row] <= planted[row],
            "{finding}: {} of {}",
            found[row],
            planted[row]
        );
    }
    let any = of[&("all videos", "any")];
    assert_eq!(planted[any], planted[of[&("a.mp4", "any")]] + planted[of[&("b.mp4", "any")]]);
    assert!(found[any] * 2 > planted[any], "{} of {}", found[any], planted[any]);
    assert!(faulty[any] <= listed[any] && number("listed_before") == vec![0; 18]);
    assert_eq!(number("frames")[any], 2 * (60 + 36));

    let faults = latest(&project, "evaluate_audit/faults_found.parquet");
    let faults = callsheet_worker::table::read_columns(&faults, &["planting"]).expect("faults");
    assert_eq!(faults.num_rows() as i32, planted[any]);
    assert_eq!(faults["planting"].as_string::<i32>().value(0), "a.mp4-0");
    check_outputs(project.path(), "audit/mine");
    results_are_copied_next_to_a_page(&project);
}

/// `callsheet tables --update` copies the latest result, with its origin, and shows its rows.
fn results_are_copied_next_to_a_page(project: &TempDir) {
    let page = project.path().join("pages/audit.md");
    let tables = |arguments: &[&str]| {
        let mut command = Command::new(engine());
        let output =
            command.arg("tables").args(arguments).arg("pages/audit.md").current_dir(project.path()).output();
        output.expect("callsheet starts")
    };
    let table = |stage: &str| {
        format!(
            "<!-- table\nfile = \"kept/audit.parquet\"\nfrom = \"audit/mine/test/{stage}/audit.parquet\"\n\
             columns = [\"finding\", \"planted\"]\nwhere.video = [\"all videos\"]\n-->\n<!-- end of table -->\n"
        )
    };
    fs::create_dir(page.parent().expect("a folder")).expect("created");
    fs::write(&page, table("evaluate_audits")).expect("written");
    let refused = tables(&["--update"]);
    assert!(
        !refused.status.success()
            && stderr(&refused).contains("evaluate_audits/audit.parquet` does not exist")
    );
    assert!(!page.with_file_name("kept").exists());
    fs::write(&page, table("evaluate_audit")).expect("written");
    assert!(tables(&["--update"]).status.success());
    let written = fs::read_to_string(&page).expect("a page");
    assert_eq!(written.lines().filter(|line| line.starts_with("| ")).count(), 8, "{written}");
    let kept = callsheet_worker::table::footer(&page.with_file_name("kept/audit.parquet")).expect("a footer");
    assert_eq!(kept["callsheet.stage"], "evaluate_audit");
    assert!(tables(&["--check"]).status.success());
}

#[test]
fn the_stand_in_has_planted_faults_on_demand_and_they_are_counted_with_its_findings() {
    let project = project();
    let set = ["--set", "synthesize_timelapse.frames=60", "--set", "synthesize_timelapse.faults=5"];
    let output = callsheet(&project, &[&["run", "evaluate_findings"], &set[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let audit =
        callsheet_worker::table::read_columns(&latest(&project, "evaluate_findings/audit.parquet"), &[]);
    let audit = audit.expect("a table");
    assert_eq!(audit["finding"].as_string::<i32>().value(5), "any");
    let number = |name: &str| audit[name].as_primitive::<Int32Type>().value(5);
    assert_eq!((number("frames"), number("planted")), (60, 5));
    assert!(number("found") >= 2, "{} faults are found", number("found"));
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

#[test]
fn frames_with_findings_are_left_out_on_demand_unless_a_curator_included_them() {
    let project = project();
    let footage = ["--set", "synthesize_timelapse.frames=60", "--set", "synthesize_timelapse.faults=5"];
    let listed = |exclude: &[&str]| -> BTreeSet<String> {
        let output = callsheet(&project, &[&["run", "list_images"], &footage[..], exclude].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let images = latest(&project, "list_images/images.parquet");
        let images = callsheet_worker::table::read_columns(&images, &["frame_id"]).expect("images");
        images["frame_id"].as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    };
    let all = listed(&[]);
    let mut findings = findings(&project);
    let blurred = findings.remove("blurred").unwrap_or_default();
    let faulty: BTreeSet<String> = findings.into_values().flatten().collect();
    assert_eq!((all.len(), faulty.is_subset(&all), faulty.is_empty()), (60, true, false), "{blurred:?}");
    let exclude = ["--set", "list_images.exclude=black,clipped,duplicate,frozen,outlying"];
    assert_eq!(listed(&exclude), &all - &faulty);

    let kept = faulty.first().expect("a frame");
    let folder = project.path().join("pipelines/curation");
    fs::create_dir(&folder).expect("created");
    let verdict = format!("key,verdict,reason,author,time\n{kept},include,seen,ann,2026-11-30\n");
    fs::write(folder.join("space_needle.csv"), verdict).expect("written");
    assert_eq!(listed(&exclude), &(&all - &faulty) | &BTreeSet::from([kept.clone()]));

    let output = callsheet(&project, &["run", "list_images", "--set", "list_images.exclude=blak"]);
    assert!(stderr(&output).contains("blak"), "{}", stderr(&output));
}
