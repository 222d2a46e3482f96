//! `callsheet translate`, through the real binary, with a model that has hardly been trained.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::flagship::{engine, latest, ran, stderr};
use crate::shared::{finished, with_results};
use crate::snapshot::assert_output;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

const OUT: &str = "data/out/synthesis/space_needle/test";

/// A project with a model and a mapper, and images of several sizes.
fn trained() -> TempDir {
    let project = finished();
    let picture = |width: u32, height: u32, shade: u8| {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 3) as u8, (y * 5) as u8, shade]))
    };
    fs::create_dir(project.path().join("photos")).expect("created");
    for (name, picture) in [
        ("a.png", picture(64, 64, 0)),
        ("style.png", picture(80, 64, 200)),
        ("other.jpg", picture(96, 96, 90)),
        ("photos/wide.png", picture(101, 70, 30)),
        ("photos/tiny.png", picture(9, 12, 60)),
        ("photos/large.jpg", picture(700, 350, 60)),
    ] {
        picture.save(project.path().join(name)).expect("saved");
    }
    fs::write(project.path().join("photos/notes.txt"), "no image").expect("written");
    project
}

fn translate(project: &TempDir, words: &[&str]) -> Output {
    let words: Vec<String> = words.iter().map(|word| word.replace("OUT", OUT)).collect();
    let mut command = Command::new(engine());
    // Errors list the available GPUs, so all are hidden.
    command.arg("translate").args(words).current_dir(project.path()).env("CUDA_VISIBLE_DEVICES", "");
    command.output().expect("callsheet starts")
}

fn made(project: &TempDir, words: &[&str]) {
    let output = translate(project, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A command, which must be refused, and its error message.
fn refused(project: &TempDir, words: &[&str]) -> String {
    let output = translate(project, words);
    assert_eq!(output.status.code(), Some(2), "{words:?}");
    format!("$ callsheet translate {}\n{}\n", words.join(" "), stderr(&output))
}

fn opened(project: &TempDir, name: &str) -> RgbImage {
    image::open(project.path().join(name)).expect("a picture").into_rgb8()
}

fn checkpoint(project: &Path) -> PathBuf {
    let folders = fs::read_dir(project.join("data/store/scratch")).expect("listed").flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).expect("listed").flatten());
    let steps =
        files.map(|file| file.path()).filter(|path| path.to_string_lossy().contains("/step-000000004-"));
    // The encoder's checkpoint is smaller.
    steps.max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("a checkpoint")
}

#[test]
fn images_are_translated_in_every_form_from_a_model_or_a_checkpoint_alone() {
    let project = trained();
    let model = "OUT/finetune_generator/model";
    made(&project, &["transfer", model, "a.png", "style.png", "-o", "new/one.png"]);
    let one = opened(&project, "new/one.png");
    assert_eq!(one.dimensions(), (64, 64));

    let alone = checkpoint(project.path()).display().to_string();
    made(&project, &["transfer", &alone, "a.png", "style.png", "-o", "again.png"]);
    assert_eq!(opened(&project, "again.png"), one, "the last checkpoint equals the model");

    made(&project, &["transfer", model, "photos", "style.png", "-o", "translated"]);
    let sizes = ["wide", "tiny", "large"]
        .map(|name| opened(&project, &format!("translated/{name}.png")).dimensions());
    assert_eq!(sizes, [(96, 64), (16, 16), (512, 256)], "multiples of 8, 16 at least, 512 at most");
    assert_eq!(fs::read_dir(project.path().join("translated")).expect("listed").count(), 3);

    made(&project, &["sample", model, "OUT/fit_mapper/mapper", "a.png", "-n", "3", "-o", "strip.png"]);
    assert_eq!(opened(&project, "strip.png").dimensions(), (64 * 4, 64), "the content and three styles");
    made(&project, &["sample", model, "OUT/fit_mapper/mapper", "a.png", "-n", "3", "-o", "styles"]);
    made(
        &project,
        &["sample", model, "OUT/fit_mapper/mapper", "a.png", "-n", "3", "--seed", "1", "-o", "others"],
    );
    let of = |folder: &str| opened(&project, &format!("{folder}/002.png"));
    assert_ne!(of("styles"), of("others"), "another seed draws other styles");

    let way = |steps: &str, to: &str| {
        made(
            &project,
            &["interpolate", model, "a.png", "style.png", "other.jpg", "--steps", steps, "-o", to],
        );
    };
    way("5", "way.png");
    let strip = opened(&project, "way.png");
    assert_eq!(strip.dimensions(), (64 * 6, 64));
    let at = |n: u32| image::imageops::crop_imm(&strip, 64 * n, 0, 64, 64).to_image();
    assert_eq!(at(1), one, "it begins with the first style");
    for moving in ["way.GIF", "12:30.mp4"] {
        way("12", moving);
        let (name, file) = (&moving[..2], format!("file:{}", path(&project, moving)));
        crate::flagship::ffmpeg(&["-i", &file, &path(&project, &format!("{name}-%02d.png"))]);
        let picture = |n: u32| project.path().join(format!("{name}-{n}.png"));
        assert!(picture(12).exists() && !picture(13).exists(), "{moving} has 12 pictures");
    }
}

#[test]
fn a_pipeline_draws_transfers_sampled_styles_and_interpolations() {
    let project = with_results();
    let sizes = [
        "transfer_grid.contents=2",
        "transfer_grid.styles=3",
        "sample_grid.contents=2",
        "sample_grid.samples=3",
        "interpolation_grid.contents=3",
        "interpolation_grid.steps=2",
        "interpolation_grid.frames=5",
    ];
    let sizes: Vec<&str> = sizes.iter().flat_map(|size| ["--set", size]).collect();
    ran(&project, &[&sizes[..], &["transfer_grid", "sample_grid", "interpolation_grid"]].concat());
    let size = |figure: &str| {
        image::open(latest(&project, &format!("{figure}.png"))).expect("a picture").to_rgb8().dimensions()
    };
    let (transfers, samples) = (size("transfer_grid/transfers"), size("sample_grid/samples"));
    assert_eq!(transfers.0, samples.0, "four columns");
    assert!(transfers.1 > samples.1, "three rows, and two");
    assert!(size("interpolation_grid/interpolation").0 > transfers.0, "five columns");
    let film = latest(&project, "interpolation_grid/interpolation.mp4").display().to_string();
    crate::flagship::ffmpeg(&["-i", &film, &path(&project, "film-%02d.png")]);
    assert_eq!(
        opened(&project, "film-01.png").dimensions(),
        (128, 128),
        "three contents, two next to each other"
    );
    let there = |n: u32| project.path().join(format!("film-{n:02}.png")).exists();
    assert!(there(5) && !there(6), "five pictures");
    let other = [&sizes[..], &["--set", "sample_grid.seed=1", "sample_grid", "transfer_grid"]].concat();
    assert_eq!(ran(&project, &other), ["sample_grid"]);
}

fn path(project: &TempDir, name: &str) -> String {
    project.path().join(name).display().to_string()
}

#[test]
fn a_failed_translation_names_the_reason_and_writes_nothing() {
    let project = trained();
    let model = "OUT/finetune_generator/model";
    fs::create_dir(project.path().join("empty")).expect("created");
    fs::write(project.path().join("broken.png"), "no image").expect("written");
    let cut = fs::read(checkpoint(project.path())).expect("read");
    fs::write(project.path().join("cut.safetensors"), &cut[..cut.len() / 2]).expect("written");
    let told = [
        ["transfer", "nowhere", "a.png", "style.png"],
        ["transfer", "OUT/train_encoder/encoder/encoder.safetensors", "a.png", "style.png"],
        ["transfer", "cut.safetensors", "a.png", "style.png"],
        ["transfer", model, "missing.png", "style.png"],
        ["transfer", model, "broken.png", "style.png"],
        ["transfer", model, "a.png", "broken.png"],
        ["sample", model, "OUT/fit_mapper", "a.png"],
    ]
    .map(|words| {
        let told = refused(&project, &[&words[..], &["-o", "x.png"]].concat());
        assert!(!project.path().join("x.png").exists());
        told
    });
    assert_output!(told.concat());
    let before = fs::read(project.path().join("photos/wide.png")).expect("read");
    let told = [
        ("a.png", "x.bmp"),
        ("a.png", "folder"),
        ("photos", "x.png"),
        ("empty", "x"),
        ("photos", "photos"),
        ("photos", "photos/../photos"),
        ("a.png", "style.png"),
    ]
    .map(|(content, to)| refused(&project, &["transfer", model, content, "style.png", "-o", to]));
    assert_output!(told.concat());
    assert_eq!(fs::read(project.path().join("photos/wide.png")).expect("read"), before);
    let told = ["cuda:7", "gpu"].map(|device| {
        refused(&project, &["transfer", model, "a.png", "style.png", "-o", "x.png", "--device", device])
    });
    assert_output!(told.concat());
    fs::copy(project.path().join("a.png"), project.path().join("photos/wide.jpg")).expect("copied");
    assert_output!(refused(&project, &["transfer", model, "photos", "style.png", "-o", "x"]));
}
