//! Frames of real footage: codecs, colours, times, selections and images. Each frame is compared with the PNG
//! that ffmpeg itself writes of it.

use std::fs;
use std::path::Path;

use crate::flagship::{callsheet, failures, ffmpeg, latest, project_of, rows, stderr, warnings};
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int32Type};
use callsheet_worker::table::read_columns;
use tempfile::TempDir;

pub(crate) const PIPELINE: &str = r#"
summary = "Frames of footage"

[sources.footage]
path = "data/raw/footage/**/*.{mp4,mkv,webm,mov,jpg,png}"
hint = "encode some"

[stages.list_frames]
inputs.videos = "footage"

[stages.extract_frames]
inputs.list = "list_frames.list"
inputs.videos = "footage"
"#;

/// Encodes 60 frames of a pattern that changes with every frame.
pub(crate) fn encode(project: &TempDir, name: &str, how: &[&str]) -> String {
    let folder = project.path().join("data/raw/footage");
    fs::create_dir_all(&folder).expect("created");
    let path = folder.join(name).display().to_string();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=10,noise=alls=8:allf=t:all_seed=1"];
    ffmpeg(&[&source[..], &["-frames:v", "60"], how, &[&path]].concat());
    path
}

fn raw(project: &TempDir, name: &str) -> String {
    project.path().join("data/raw/footage").join(name).display().to_string()
}

/// Row of a frame in the table of frames: key, time, size, pixels.
pub(crate) struct Found {
    pub id: String,
    pub index: usize,
    pub time: f64,
    pub size: (i32, i32),
    pub pixels: image::RgbImage,
}

pub(crate) fn found(project: &TempDir) -> Vec<Found> {
    let path = latest(project, "extract_frames/frames.parquet");
    let table = read_columns(&path, &[]).expect("frames");
    let bytes = table["image"].as_struct().column_by_name("bytes").expect("bytes").clone();
    let int = |name: &str, row| table[name].as_primitive::<Int32Type>().value(row);
    (0..table.num_rows())
        .map(|row| Found {
            id: table["frame_id"].as_string::<i32>().value(row).to_owned(),
            index: table["frame_index"].as_primitive::<arrow::datatypes::Int64Type>().value(row) as usize,
            time: table["time_s"].as_primitive::<Float64Type>().value(row),
            size: (int("width", row), int("height", row)),
            pixels: image::load_from_memory(bytes.as_binary::<i32>().value(row)).expect("a PNG").into_rgb8(),
        })
        .collect()
}

/// All frames of a video as ffmpeg's own PNG files.
pub(crate) fn as_png(video: &str, folder: &Path) -> Vec<image::RgbImage> {
    fs::create_dir_all(folder).expect("created");
    let pattern = folder.join("%04d.png").display().to_string();
    ffmpeg(&["-i", video, "-fps_mode", "passthrough", "-pix_fmt", "rgb24", &pattern]);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("listed").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| image::open(file).expect("a PNG").into_rgb8()).collect()
}

fn check(name: &str, how: &[&str]) -> Vec<Found> {
    let project = project_of("footage", PIPELINE);
    let path = encode(&project, name, how);
    let png = as_png(&path, &project.path().join("png"));
    for every in ["0", "2.1"] {
        rows(&project, &["--set", &format!("list_frames.every_seconds={every}")]);
        let frames = found(&project);
        let expected = if every == "0" { png.len()..=png.len() } else { 3..=5 };
        assert!(expected.contains(&frames.len()), "{name}, every {every} s: {}", frames.len());
        for frame in frames {
            assert!(frame.pixels == png[frame.index], "{name}: frame {} differs, every {every} s", frame.id);
        }
    }
    rows(&project, &[]);
    found(&project)
}

#[test]
fn every_codec_gives_the_frames_that_ffmpeg_writes_as_png() {
    check("h264.mp4", &["-c:v", "libx264", "-g", "12", "-pix_fmt", "yuv420p"]);
    check(
        "hevc.mkv",
        &["-c:v", "libx265", "-x265-params", "log-level=error:keyint=12", "-pix_fmt", "yuv420p"],
    );
    check("vp9.webm", &["-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-cpu-used", "8"]);
    check("av1.mp4", &["-c:v", "libaom-av1", "-g", "12", "-usage", "realtime", "-cpu-used", "8"]);
}

#[test]
fn frames_of_a_long_video_to_which_ffmpeg_seeks_have_their_colours() {
    let project = project_of("footage", PIPELINE);
    let long = ["-frames:v", "400", "-c:v", "libx264", "-g", "12", "-pix_fmt", "yuv420p"];
    let png = as_png(&encode(&project, "long.mp4", &long), &project.path().join("png"));
    for count in ["1", "3"] {
        rows(&project, &["--set", &format!("list_frames.count={count}")]);
        let frames = found(&project);
        assert_eq!(frames.len().to_string(), count);
        for frame in frames {
            assert!(frame.pixels == png[frame.index], "frame {} differs, {count} frames", frame.id);
        }
    }
}

#[test]
fn ten_bits_full_range_and_rotation_are_decoded_as_by_ffmpeg() {
    let ten = &["-c:v", "libx265", "-x265-params", "log-level=error:keyint=12", "-pix_fmt", "yuv420p10le"];
    check("ten.mp4", ten);
    let full = ["-vf", "scale=out_range=full", "-color_range", "pc", "-colorspace", "bt709"];
    let frames = check("full.mp4", &[&full[..], &["-c:v", "libx264", "-pix_fmt", "yuvj420p"]].concat());
    assert!(frames[0].pixels.iter().any(|value| *value > 250), "white exceeds 250");
    let project = project_of("footage", PIPELINE);
    let plain = encode(&project, "plain.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]);
    let turned = project.path().join("data/raw/footage/turned.mp4").display().to_string();
    ffmpeg(&["-display_rotation", "90", "-i", &plain, "-c", "copy", &turned]);
    fs::remove_file(&plain).expect("removed");
    rows(&project, &["--set", "list_frames.count=3"]);
    assert!(found(&project).iter().all(|frame| frame.size == (96, 160)), "upright");
}

#[test]
fn a_variable_frame_rate_keeps_its_true_times() {
    let uneven = "settb=1/1000,setpts='N*100+floor(N/7)*350-mod(N,2)*60'";
    let frames = check(
        "vfr.mkv",
        &[
            "-vf",
            uneven,
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "1/1000",
            "-c:v",
            "libx264",
            "-g",
            "12",
            "-pix_fmt",
            "yuv420p",
        ],
    );
    for frame in frames {
        // Every other frame follows the previous one after 40 ms, which no constant rate can express.
        let n = frame.index;
        let wanted = n as f64 / 10.0 + (n / 7) as f64 * 0.35 - (n % 2) as f64 * 0.06;
        assert!((frame.time - wanted).abs() < 1e-3, "{}: {} s, not {wanted} s", frame.id, frame.time);
    }
}

#[test]
fn key_frames_and_scene_changes_are_chosen_where_they_are() {
    let project = project_of("footage", PIPELINE);
    let how = ["-c:v", "libx264", "-g", "12", "-sc_threshold", "0", "-pix_fmt", "yuv420p"];
    let path = encode(&project, "a.mp4", &[&["-vf", "negate=enable='between(n,25,44)'"], &how[..]].concat());
    let png = as_png(&path, &project.path().join("png"));
    let chosen = |arguments: &[&str]| {
        rows(&project, arguments);
        let frames = found(&project);
        assert!(frames.iter().all(|frame| frame.pixels == png[frame.index]));
        frames.iter().map(|frame| frame.index).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&["--set", "list_frames.candidates=key_frames"]), [0, 12, 24, 36, 48]);
    let scenes =
        ["--set", "list_frames.candidates=scene_changes", "--set", "list_frames.scene_threshold=0.2"];
    assert_eq!(chosen(&scenes), [0, 25, 45]);
}

#[test]
fn open_groups_of_pictures_are_not_reported_as_damage() {
    let open = "keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0";
    check("open.mkv", &["-c:v", "libx264", "-x264-params", open, "-pix_fmt", "yuv420p"]);
    let project = project_of("footage", PIPELINE);
    encode(&project, "open.mkv", &["-c:v", "libx264", "-x264-params", open, "-pix_fmt", "yuv420p"]);
    rows(&project, &["--set", "list_frames.candidates=key_frames"]);
    assert!(found(&project).len() > 1);
}

#[test]
fn frames_of_a_container_without_times_are_numbered_by_the_frame_rate() {
    let project = project_of("footage", &PIPELINE.replace("{mp4,", "{avi,mp4,"));
    let codecs: [&[&str]; 2] = [&["-c:v", "mpeg4"], &["-c:v", "libx264", "-pix_fmt", "yuv420p"]];
    for codec in codecs {
        let path = encode(&project, "a.avi", &[codec, &["-bf", "2", "-g", "12"]].concat());
        let png = as_png(&path, &project.path().join("png"));
        let output = callsheet(&project, &["run"]);
        assert!(warnings(&output).contains("their times follow from its frame rate"), "{}", stderr(&output));
        let frames = found(&project);
        assert_eq!(frames.len(), 60);
        for frame in frames {
            assert!(frame.pixels == png[frame.index], "{} differs", frame.id);
            assert!((frame.time - frame.index as f64 / 10.0).abs() < 1e-9, "{} s", frame.time);
        }
        rows(&project, &["--set", "list_frames.candidates=key_frames"]);
        let keys = found(&project);
        assert_eq!(keys[0].index, 0);
        assert!(keys.len() >= 5 && keys.iter().all(|frame| frame.pixels == png[frame.index]));
    }
}

#[test]
fn two_frames_at_one_time_are_not_damage() {
    let project = project_of("footage", PIPELINE);
    let twice = "setpts='if(lt(N,20),N,N-1)/10/TB'";
    let how = ["-vf", twice, "-fps_mode", "passthrough", "-c:v", "ffv1"];
    let path = encode(&project, "a.mkv", &how);
    let png = as_png(&path, &project.path().join("png"));
    let output = callsheet(&project, &["run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let frames = found(&project);
    assert_eq!(frames.len(), 60);
    assert!(frames.iter().all(|frame| frame.pixels == png[frame.index]));
}

#[test]
fn frames_that_are_only_references_are_not_counted() {
    let project = project_of("footage", PIPELINE);
    let log = project.path().join("pass").display().to_string();
    let how = "-c:v libvpx -b:v 200k -lag-in-frames 16 -auto-alt-ref 1 -deadline good -passlogfile";
    for pass in ["1", "2"] {
        let how: Vec<&str> = how.split(' ').chain([log.as_str(), "-pass", pass]).collect();
        encode(&project, "a.webm", &how);
    }
    let png = as_png(&raw(&project, "a.webm"), &project.path().join("png"));
    rows(&project, &[]);
    let frames = found(&project);
    assert_eq!(frames.len(), 60);
    assert!(frames.iter().all(|frame| frame.pixels == png[frame.index]));
}

#[test]
fn a_title_in_another_encoding_is_not_damage() {
    let project = project_of("footage", &PIPELINE.replace("{mp4,", "{avi,mp4,"));
    encode(&project, "a.avi", &["-c:v", "mjpeg", "-metadata", "title=Cafe_au_lait"]);
    let mut bytes = fs::read(raw(&project, "a.avi")).expect("read");
    let title = bytes.windows(4).position(|window| window == b"Cafe").expect("the title");
    bytes[title + 3] = 0xe9; // Latin-1
    fs::write(raw(&project, "a.avi"), bytes).expect("written");
    assert_eq!(rows(&project, &[])["extract_frames"], (60, 60));
}

#[test]
fn images_in_a_folder_are_a_video_of_their_own() {
    let project = project_of("footage", PIPELINE);
    let path = encode(&project, "a.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]);
    fs::create_dir(project.path().join("data/raw/footage/panoramas")).expect("created");
    let pattern = project.path().join("data/raw/footage/panoramas/%03d.png").display().to_string();
    ffmpeg(&["-i", &path, "-frames:v", "5", "-pix_fmt", "rgb24", &pattern]);
    let counted = rows(&project, &["--set", "list_frames.every_seconds=2"]);
    assert_eq!(counted["extract_frames"], (6, 6));
    let ids: Vec<String> = found(&project).into_iter().map(|frame| frame.id).collect();
    assert_eq!(
        ids,
        [
            "a.mp4#000000",
            "a.mp4#000020",
            "a.mp4#000040",
            "panoramas/001.png",
            "panoramas/003.png",
            "panoramas/005.png"
        ]
    );
    let frames = found(&project);
    assert_eq!(frames[0].pixels, frames[3].pixels);
    assert_eq!(frames[5].time, 4.0);
    // A changed image recomputes only its own frame.
    let other = project.path().join("data/raw/footage/panoramas/003.png");
    fs::copy(project.path().join("data/raw/footage/panoramas/002.png"), other).expect("copied");
    let counted = rows(&project, &["--set", "list_frames.every_seconds=2"]);
    assert_eq!(counted["extract_frames"], (1, 6));
}

#[test]
fn brightness_is_evened_out_only_when_asked_for() {
    let project = project_of("footage", PIPELINE);
    let how = ["-vf", "eq=brightness='0.2*mod(n,2)':eval=frame", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
    encode(&project, "a.mp4", &how);
    let flicker = || {
        let means: Vec<f64> = found(&project)
            .iter()
            .map(|frame| frame.pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / frame.pixels.len() as f64)
            .collect();
        means.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum::<f64>() / means.len() as f64
    };
    rows(&project, &[]);
    let as_it_is = flicker();
    rows(&project, &["--set", "extract_frames.deflicker=5"]);
    assert!(flicker() < as_it_is * 0.6, "{} of {as_it_is}", flicker());
}

#[test]
fn deflicker_is_refused_for_images_with_the_remedy() {
    let project = project_of("footage", PIPELINE);
    encode(&project, "%03d.png", &["-frames:v", "3"]);
    assert_output!(failures(&callsheet(&project, &["run", "--set", "extract_frames.deflicker=5"])));
}

#[test]
fn a_file_that_is_not_an_image_is_named() {
    let project = project_of("footage", PIPELINE);
    let folder = project.path().join("data/raw/footage");
    fs::create_dir_all(&folder).expect("created");
    fs::write(folder.join("001.jpg"), "no image").expect("written");
    assert_output!(failures(&callsheet(&project, &["run"])));
}
