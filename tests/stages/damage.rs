//! Damaged footage: it is refused every time, or frames are used that equal those of the whole video.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::flagship::{callsheet, failures, ffmpeg, project, project_of, rows, stderr, warnings};
use crate::footage::{Found, PIPELINE, encode, found};
use crate::pairs::dataset;
use serde_json::Value;
use tempfile::TempDir;

const H264: &[&str] = &["-c:v", "libx264", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p"];
const VP9: &[&str] = &["-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-cpu-used", "8"];
const MJPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"];
const SKIP: &[&str] = &["--set", "list_frames.skip_unreadable=true"];

/// Number of bytes that are damaged, beginning in the middle of a file.
const BYTES: usize = 8000;

/// A project whose footage may also be AVI and MPEG-TS.
fn footage() -> TempDir {
    project_of("footage", &PIPELINE.replace("{mp4,", "{avi,ts,mp4,"))
}

fn raw(project: &TempDir, name: &str) -> PathBuf {
    project.path().join("data/raw/footage").join(name)
}

/// Copies a video with damage: an incomplete download, wrong or missing blocks, a download resumed wrongly.
fn damage(project: &TempDir, name: &str, kind: &str) {
    let mut bytes = fs::read(raw(project, name)).expect("read");
    let middle = bytes.len() / 2;
    match kind {
        "cut" => bytes.truncate(bytes.len() * 2 / 3),
        "flipped" => bytes[middle..middle + BYTES].iter_mut().for_each(|byte| *byte ^= 0x5a),
        "zeroed" => bytes[middle..middle + BYTES].fill(0),
        _ => drop(bytes.drain(middle..middle + BYTES)),
    }
    fs::write(raw(project, &format!("{kind}_{name}")), bytes).expect("written");
}

/// Frames of each video.
fn by_video(project: &TempDir) -> BTreeMap<String, Vec<Found>> {
    let mut videos = BTreeMap::<String, Vec<Found>>::new();
    for frame in found(project) {
        let video = frame.id.split_once('#').expect("a video").0.to_owned();
        videos.entry(video).or_default().push(frame);
    }
    videos
}

#[test]
fn frames_that_are_kept_of_a_damaged_video_equal_those_of_the_whole_video() {
    let project = footage();
    let files = [("h264.mkv", H264), ("h264.ts", H264), ("vp9.webm", VP9), ("mjpeg.mkv", MJPEG)];
    for (name, how) in files {
        encode(&project, name, how);
        // MPEG-TS stores no length, so a file that is cut between two packets is whole.
        let kinds: &[&str] = if name == "h264.ts" { &[] } else { &["cut"] };
        for kind in [kinds, &["flipped", "zeroed", "resumed"]].concat() {
            damage(&project, name, kind);
        }
    }
    let output = callsheet(&project, &[&["run"], SKIP].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let (warned, videos) = (warnings(&output), by_video(&project));
    for (damaged, frames) in videos.iter().filter(|(name, _)| name.contains('_')) {
        let whole = &videos[damaged.split_once('_').expect("a kind").1];
        assert!((24..60).contains(&frames.len()), "{damaged}: {} frames", frames.len());
        assert!(warned.contains(&format!("`{damaged}`")), "{warned}");
        for frame in frames {
            let equal = whole.iter().find(|other| (other.time - frame.time).abs() < 1e-3);
            assert!(equal.is_some_and(|other| other.pixels == frame.pixels), "{}", frame.id);
        }
    }
    assert_eq!(videos.len(), 4 + 15);
}

/// Findings of `callsheet dataset check` in `copies` copies of a video that is cut to two thirds.
fn findings_in_cut_videos(copies: usize) -> usize {
    let project = project();
    let folder = project.path().join("data/raw/space_needle");
    fs::create_dir_all(&folder).expect("created");
    let whole = folder.join("whole.mkv").display().to_string();
    let source = ["-f", "lavfi", "-i", "mandelbrot=size=320x180:rate=25", "-t", "2", "-c:v", "libx264"];
    ffmpeg(&[&source[..], &[&whole]].concat());
    let bytes = fs::read(&whole).expect("read");
    for copy in 0..copies {
        fs::write(folder.join(format!("{copy}.mkv")), &bytes[..bytes.len() * 2 / 3]).expect("written");
    }
    let output = dataset(&project, &["check", "space_needle", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let is_damaged =
        |file: &str| findings.iter().any(|found| found["file"] == file && found["kind"] == "damaged");
    assert!(!is_damaged("whole.mkv"), "{report}");
    (0..copies).filter(|copy| is_damaged(&format!("{copy}.mkv"))).count()
}

#[test]
fn a_truncated_video_is_reported_in_each_of_20_checks() {
    assert_eq!(findings_in_cut_videos(20), 20);
}

#[test]
#[ignore = "takes a minute: `make test-all` runs it"]
fn a_truncated_video_is_reported_in_each_of_200_checks() {
    assert_eq!(findings_in_cut_videos(200), 200);
}

#[test]
fn a_recording_that_begins_within_a_group_of_pictures_is_refused_or_begins_at_its_first_key_frame() {
    let project = footage();
    encode(&project, "whole.ts", H264);
    let bytes = fs::read(raw(&project, "whole.ts")).expect("read");
    let packets = bytes.len() / 188;
    fs::write(raw(&project, "late.ts"), &bytes[packets * 2 / 5 * 188..]).expect("written");
    let refused = failures(&callsheet(&project, &["run"]));
    assert!(refused.contains("late.ts` is damaged") && refused.contains("skip_unreadable"), "{refused}");
    rows(&project, SKIP);
    let videos = by_video(&project);
    let (whole, late) = (&videos["whole.ts"], &videos["late.ts"]);
    assert!(late.len() >= 24, "{} frames", late.len());
    assert!(late.iter().zip(&whole[60 - late.len()..]).all(|(a, b)| a.pixels == b.pixels));
}

#[test]
fn zeros_within_a_frame_are_damage_even_if_the_decoder_accepts_them() {
    let project = footage();
    encode(&project, "a.webm", VP9);
    let mut bytes = fs::read(raw(&project, "a.webm")).expect("read");
    // 100 zeros are less than a frame, and leave the container intact.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 100].fill(0);
    fs::write(raw(&project, "a.webm"), bytes).expect("written");
    let refused = failures(&callsheet(&project, &["run"]));
    assert!(refused.contains("partly overwritten with zeros"), "{refused}");
    rows(&project, SKIP);
    let left = found(&project).len();
    assert!((24..60).contains(&left), "{left} frames");
}
