//! Small datasets of pairs in the layouts of the real datasets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::flagship::engine;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

/// An image pair: blue blocks on the left, red blocks on the right, other blocks for every number.
pub(crate) fn pair((width, height): (u32, u32), number: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let block = ((x / 16 * 31 + y / 16 * 17 + number * 97) % 160) as u8;
        if x < width / 2 { Rgb([0, block, 200]) } else { Rgb([200, block, 0]) }
    })
}

/// Writes a picture in the format of the file's extension.
pub(crate) fn jpeg(picture: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    picture.save(path).expect("written");
}

/// Writes 24 training images, and two of each other split.
pub(crate) fn fixture(project: &TempDir, name: &str, size: (u32, u32), folders: &[&str]) {
    for folder in folders {
        for number in 0..if *folder == "train" { 24 } else { 2 } {
            let path = raw(project, name).join(format!("{folder}/{number}.jpg"));
            jpeg(&pair(size, number + folder.len() as u32 * 100), &path);
        }
    }
}

/// Folder of a dataset's raw files.
pub(crate) fn raw(project: &TempDir, name: &str) -> PathBuf {
    project.path().join("data/raw").join(name)
}

/// Output of a program.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs `callsheet dataset ..`, which has no option for a profile.
pub(crate) fn dataset(project: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(engine());
    command.arg("dataset").args(arguments).current_dir(project.path());
    command.output().expect("callsheet starts")
}

/// Runs `callsheet datasets`.
pub(crate) fn datasets(project: &TempDir) -> Output {
    Command::new(engine()).arg("datasets").current_dir(project.path()).output().expect("callsheet starts")
}
