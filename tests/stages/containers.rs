//! Containers that hide frames, lack times or end early: frames are read, or the true reason is given.

use std::fs;

use crate::flagship::{callsheet, failures, ffmpeg, project_of, rows, stderr, warnings};
use crate::footage::{Found, PIPELINE, as_png, encode, found};
use tempfile::TempDir;

const SKIP: &[&str] = &["--set", "list_frames.skip_unreadable=true"];
/// Encoder with open groups of pictures: frames refer to the previous group, and are shown before their key frame.
const OPEN: [&str; 10] =
    ["-c:v", "libx264", "-g", "12", "-bf", "2", "-x264-params", "open-gop=1", "-pix_fmt", "yuv420p"];

fn footage() -> TempDir {
    project_of("footage", &PIPELINE.replace("{mp4,", "{y4m,dv,ogv,mpg,mp4,"))
}

fn raw(project: &TempDir, name: &str) -> String {
    project.path().join("data/raw/footage").join(name).display().to_string()
}

/// Replaces a file by a part of its bytes, `from` up to `to` hundredths of its length.
fn keep(path: &str, from: usize, to: usize) {
    let bytes = fs::read(path).expect("read");
    fs::write(path, &bytes[bytes.len() * from / 100..bytes.len() * to / 100]).expect("written");
}

/// Frames of one video.
fn of(project: &TempDir, name: &str) -> Vec<Found> {
    found(project).into_iter().filter(|frame| frame.id.starts_with(&format!("{name}#"))).collect()
}

#[test]
fn errors_of_frames_that_an_edit_list_hides_are_not_damage() {
    let project = footage();
    let whole = encode(&project, "whole.mp4", &OPEN);
    // The cut begins with a key frame within the stream. An edit list hides the frames before the given time.
    let cuts = [("1.5", 45), ("1.7", 43), ("2.45", 35)];
    for (time, _) in cuts {
        ffmpeg(&["-ss", time, "-i", &whole, "-c", "copy", &raw(&project, &format!("{time}.mp4"))]);
    }
    for arguments in [&[][..], SKIP] {
        let output = callsheet(&project, &[&["run"], arguments].concat());
        assert!(output.status.success() && warnings(&output).is_empty(), "{}", stderr(&output));
        let whole = of(&project, "whole.mp4");
        for (time, count) in cuts {
            let frames = of(&project, &format!("{time}.mp4"));
            assert_eq!(frames.len(), count, "{time}");
            let ends = frames.iter().zip(&whole[60 - count..]);
            assert!(ends.into_iter().all(|(frame, whole)| frame.pixels == whole.pixels), "{time}");
        }
    }
}

#[test]
fn damage_of_frames_that_an_edit_list_shows_is_refused() {
    let project = footage();
    let whole = encode(&project, "whole.mp4", &OPEN);
    ffmpeg(&["-ss", "1.5", "-i", &whole, "-c", "copy", &raw(&project, "cut.mp4")]);
    fs::remove_file(whole).expect("removed");
    let mut bytes = fs::read(raw(&project, "cut.mp4")).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].iter_mut().for_each(|byte| *byte ^= 0x5a);
    fs::write(raw(&project, "cut.mp4"), bytes).expect("written");
    let refused = failures(&callsheet(&project, &["run"]));
    assert!(refused.contains("cut.mp4` is damaged"), "{refused}");
}

#[test]
fn mpeg_program_streams_have_their_true_times_and_may_begin_late() {
    let project = footage();
    let how = "-vf setpts=N/25/TB -r 25 -c:v mpeg2video -q:v 6 -g 12 -bf 2";
    let path = encode(&project, "a.mpg", &how.split(' ').collect::<Vec<_>>());
    let png = as_png(&path, &project.path().join("png"));
    let output = callsheet(&project, &["run"]);
    assert!(output.status.success() && warnings(&output).is_empty(), "{}", stderr(&output));
    let whole = found(&project);
    assert_eq!(whole.len(), 60);
    for frame in &whole {
        assert!(frame.pixels == png[frame.index], "{} differs", frame.id);
        assert!((frame.time - whole[0].time - frame.index as f64 / 25.0).abs() < 1e-3, "{}", frame.time);
    }
    keep(&path, 30, 100);
    let refused = failures(&callsheet(&project, &["run"]));
    assert!(refused.contains("no sequence header precedes its first frame"), "{refused}");
    rows(&project, SKIP);
    let late = found(&project);
    assert!(late.len() >= 24, "{} frames", late.len());
    assert!(late.iter().zip(&whole[60 - late.len()..]).all(|(a, b)| a.pixels == b.pixels));
}

#[test]
fn containers_that_show_where_a_frame_ends_are_refused_if_they_are_cut_off() {
    let dv = "-vf scale=720:576,setpts=N/25/TB -r 25 -pix_fmt yuv420p -frames:v 12";
    let files = [
        ("a.y4m", "-pix_fmt yuv420p", "it ends within a frame"),
        ("a.dv", dv, "it ends within a frame"),
        ("a.ogv", "-c:v libtheora -q:v 5", "it ends within a page of Ogg"),
    ];
    for (name, how, reason) in files {
        let project = footage();
        let path = encode(&project, name, &how.split(' ').collect::<Vec<_>>());
        rows(&project, &[]);
        let whole = found(&project);
        keep(&path, 0, 67);
        let refused = failures(&callsheet(&project, &["run"]));
        assert!(refused.contains(&format!("is damaged: {reason}")), "{name}: {refused}");
        let output = callsheet(&project, &[&["run"], SKIP].concat());
        assert!(warnings(&output).contains("is damaged"), "{}", stderr(&output));
        let left = found(&project);
        assert!(left.len() * 2 > whole.len() && left.len() < whole.len(), "{name}: {} frames", left.len());
        assert!(left.iter().zip(&whole).all(|(a, b)| a.pixels == b.pixels), "{name}");
    }
}

#[test]
fn an_ogg_file_whose_last_page_is_not_marked_as_the_end_is_read_with_a_warning() {
    let project = footage();
    let path = encode(&project, "a.ogv", &["-c:v", "libtheora", "-q:v", "5"]);
    rows(&project, &[]);
    let whole = found(&project);
    let bytes = fs::read(&path).expect("read");
    let last = bytes.windows(5).rposition(|bytes| bytes == b"OggS\0").expect("a page");
    fs::write(&path, &bytes[..last]).expect("written");
    let output = callsheet(&project, &["run"]);
    let warned = warnings(&output);
    assert!(output.status.success() && warned.contains("is not marked as the end"), "{}", stderr(&output));
    let left = found(&project);
    assert!(left.len() * 2 > whole.len() && left.len() < whole.len(), "{} frames", left.len());
    assert!(left.iter().zip(&whole).all(|(a, b)| a.pixels == b.pixels));
}

#[test]
fn a_gap_between_frames_of_a_constant_rate_causes_a_warning() {
    let project = footage();
    let path = encode(&project, "a.webm", &["-c:v", "libvpx", "-deadline", "realtime", "-g", "12"]);
    assert!(warnings(&callsheet(&project, &["run"])).is_empty());
    ffmpeg(&["-i", &path, "-c", "copy", "-bsf:v", "noise=drop='eq(n,20)'", &raw(&project, "gap.webm")]);
    let warned = warnings(&callsheet(&project, &["run"]));
    let gap =
        "`gap.webm` has no frame between 1.900 s and 2.100 s, but a constant rate otherwise (one such gap)";
    assert!(warned.contains(gap), "{warned}");
}
