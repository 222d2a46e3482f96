//! Bad input to the flagship pipeline ends in an error that names the file and the remedy, and
//! nothing is published.

use std::fs;
use std::path::Path;

use crate::flagship::{callsheet, failures, ffmpeg, latest, project, repository, stderr, warnings};
use crate::shared::with_results;
use crate::snapshot::assert_output;
use tempfile::TempDir;

const VIDEO: &str = "data/raw/space_needle/a.mp4";

/// Encodes ffmpeg's test pattern to `path`: 60 frames of `size`, a key frame every 12.
fn encode(path: &Path, size: &str, format: &[&str]) {
    let source = format!("testsrc2=size={size}:rate=30:duration=2");
    let how = ["-f", "lavfi", "-i", &source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12"];
    ffmpeg(&[&how[..], format, &[&path.display().to_string()]].concat());
}

/// A project whose footage is the file that `make` writes to the given path.
fn with_video(make: impl FnOnce(&Path)) -> TempDir {
    let project = project();
    let path = project.path().join(VIDEO);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    make(&path);
    project
}

fn cut(path: &Path, keep: f64) {
    let bytes = fs::read(path).expect("read");
    fs::write(path, &bytes[..(bytes.len() as f64 * keep) as usize]).expect("written");
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].iter_mut().for_each(|byte| *byte ^= 0x5a);
    fs::write(path, bytes).expect("written");
}

/// Errors of a run up to `stage`, which must fail and publish no output of `stage`.
fn refused(project: &TempDir, stage: &str, arguments: &[&str]) -> String {
    let output = callsheet(project, &[&["run", stage], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!project.path().join("data/out/synthesis/space_needle/test").join(stage).exists());
    failures(&output)
}

/// Compares without what differs between versions of ffmpeg: its messages, the number of frames that it decodes
/// from a damaged video, and the stage that finds the damage.
fn with_any_ffmpeg(compare: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[:;] ffmpeg reports `[^`]*`", "");
    settings.add_filter("stage `(list|extract)_frames` failed", "stage `[list or extract]_frames` failed");
    settings.add_filter(r"\b\d+ of the (\d+) frames\b", "[some] of the $1 frames");
    settings.bind(compare);
}

#[test]
fn a_file_that_is_not_a_video_is_refused() {
    for bytes in ["", "no video at all"] {
        let project = with_video(|path| fs::write(path, bytes).expect("written"));
        let said = refused(&project, "list_frames", &[]);
        with_any_ffmpeg(|| assert_output!(said));
    }
}

#[test]
fn a_video_without_a_frame_is_refused() {
    let project = with_video(|path| encode(path, "64x32", &["-frames:v", "0", "-movflags", "+empty_moov"]));
    let said = refused(&project, "list_frames", &[]);
    assert!(said.contains("a.mp4"), "{said}");
    assert!(said.contains("has no frame") || said.contains("is not a readable video"), "{said}");
}

#[test]
fn a_truncated_video_is_refused_wherever_its_index_lies() {
    let project = with_video(|path| {
        encode(path, "640x96", &["-movflags", "+faststart"]);
        cut(path, 0.6);
    });
    let said = refused(&project, "list_frames", &[]);
    with_any_ffmpeg(|| assert_output!(said));
    let project = with_video(|path| {
        encode(path, "640x96", &[]);
        cut(path, 0.6);
    });
    let said = refused(&project, "list_frames", &[]);
    with_any_ffmpeg(|| assert_output!(said));
}

#[test]
fn damaged_frames_are_refused_or_left_out_and_counted() {
    let project = with_video(|path| {
        encode(path, "128x64", &[]);
        damage(path);
    });
    let said = refused(&project, "extract_frames", &[]);
    with_any_ffmpeg(|| assert_output!(said));

    let output = callsheet(&project, &["run", "--set", "list_frames.skip_unreadable=true", "extract_frames"]);
    assert!(output.status.success(), "{}", stderr(&output));
    with_any_ffmpeg(|| assert_output!(warnings(&output)));
    let out = latest(&project, "");
    let table = out.join("extract_frames/frames.parquet");
    let footer = callsheet_worker::table::footer(&out.join("list_frames/list.parquet")).expect("a footer");
    let unreadable: u64 = footer["callsheet.unreadable_frames"].parse().expect("a count");
    let rows = callsheet_worker::table::row_count(&table).expect("a table");
    assert!(unreadable > 0 && rows > 0 && rows + unreadable == 60, "{rows} and {unreadable}");
}

#[test]
fn an_even_window_and_a_side_that_cannot_be_halved_are_refused() {
    let project = project();
    assert_output!(refused(&project, "list_images", &["--set", "list_images.window=4"]));
    assert_output!(refused(&project, "pair_images", &["--set", "pair_images.side=60"]));
}

#[test]
fn a_frame_size_that_changes_within_or_between_videos_is_refused() {
    let project = with_video(|path| {
        let parts = [("64x32", "1.h264"), ("96x48", "2.h264")].map(|(size, name)| {
            let part = path.with_file_name(name);
            encode(&part, size, &["-f", "h264"]);
            let bytes = fs::read(&part).expect("read");
            fs::remove_file(part).expect("removed");
            bytes
        });
        fs::write(path, parts.concat()).expect("written");
    });
    assert_output!(refused(&project, "extract_frames", &[]));

    let project = with_video(|path| {
        encode(path, "64x32", &[]);
        encode(&path.with_file_name("b.mp4"), "96x48", &[]);
    });
    assert_output!(refused(&project, "list_images", &[]));
}

#[test]
fn weights_that_are_damaged_or_not_the_published_ones_are_refused() {
    let weights = "data/weights/vgg16.ckpt";
    let published = fs::read(repository().join(weights)).expect("the weights");
    let mut flipped = published.clone();
    flipped[published.len() / 2] ^= 1;
    for (bytes, arguments) in [
        (&flipped[..], &[][..]),
        (&published[..published.len() / 2], &["--set", "import_weights.sha256="]),
        (b"no weights", &["--set", "import_weights.sha256="]),
        (&published[..], &["--set", "import_weights.sha256=", "--set", "import_weights.network=vgg19"]),
    ] {
        let project = project();
        fs::remove_file(project.path().join("data/weights")).expect("unlinked");
        fs::create_dir(project.path().join("data/weights")).expect("created");
        fs::create_dir_all(project.path().join("data/weights/lpips/v0.1")).expect("created");
        for other in ["alexnet.ckpt", "lpips/v0.1/alex.pth"] {
            fs::write(project.path().join("data/weights").join(other), "only looked for").expect("written");
        }
        fs::write(project.path().join(weights), bytes).expect("written");
        assert_output!(refused(&project, "import_weights", arguments));
    }
}

#[test]
fn a_missing_gpu_is_refused_with_a_list_of_the_available_ones() {
    let project = with_results();
    let set = |device| ["--set", "train_encoder.learning_rate=0.5", "--set", device];
    assert_output!(refused(&project, "train_encoder", &set("train_encoder.device=cuda:3")));
    assert_output!(refused(&project, "train_encoder", &set("train_encoder.device=gpu")));
}

#[test]
fn a_warm_up_without_a_loss_to_warm_up_with_is_refused() {
    let project = with_results();
    let arguments = ["--set", "train_generator.warmup_kimg=1", "--set", "train_generator.w_mse=0"];
    assert_output!(refused(&project, "train_generator", &arguments));
}
