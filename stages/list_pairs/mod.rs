//! List of the image files, with the split of each.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::lib::columns::{bools, strings, write_table};
use crate::lib::names::{is_hidden, warn_of_hidden};
use crate::lib::splits::{check_both, choose, drawn, is_unpaired, of_folder};
use crate::lib::verdicts::excluded;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    validation: String,
    val_fraction: f64,
    max_style_images: usize,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if some files are in folders of splits and others are not, or if a split would be empty.
/// Also returns an error if the folders are those of a dataset without pairs.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let all = &job.files("files")?.names;
    let excluded = excluded(job, &all.iter().map(String::as_str).collect())?;
    warn_of_hidden(job, all);
    let taken = |name: &&String| !excluded.contains(*name) && !is_hidden(Path::new(name));
    let names: Vec<String> = all.iter().filter(taken).cloned().collect();
    let splits = splits(&names, &params)?;
    check_both(
        &splits,
        "add images; or put them into folders named train, val and test; without such folders, \
         change list_pairs.val_fraction; with them, set list_pairs.validation to one that exists",
    )?;
    let training = names.iter().zip(&splits).filter(|(_, split)| **split == "train").map(|(name, _)| name);
    let chosen = choose(training.map(String::as_str), params.max_style_images, params.seed);
    let for_style = |(name, split): (&String, &&str)| match *split {
        "train" => chosen.contains(name.as_str()),
        split => split == "val",
    };
    write_table(
        job,
        "images",
        vec![
            ("image_id", strings(&names)),
            ("file", strings(&names)),
            ("split", strings(&splits)),
            ("for_style", bools(names.iter().zip(&splits).map(for_style))),
        ],
    )
}

/// Returns the split of each file.
fn splits(names: &[String], params: &Params) -> Result<Vec<&'static str>> {
    if let Some(name) = names.iter().find(|name| is_unpaired(name)) {
        return Err(user_error(
            format!("`{name}` is in a folder of a dataset without pairs (CycleGAN's trainA, trainB, ..)"),
            "use a dataset in which each file has two halves side by side; if these files have two halves, \
             rename their folders to train, val or test",
        ));
    }
    let folders: Vec<Option<&str>> = names.iter().map(|name| of_folder(name)).collect();
    if folders.iter().all(Option::is_none) {
        return Ok(names.iter().map(|name| drawn(name, params.val_fraction)).collect());
    }
    let split = |(name, folder): (&String, Option<&'static str>)| match folder {
        Some("train") => Ok("train"),
        Some(folder) if folder == params.validation => Ok("val"),
        Some(_) => Ok("test"),
        None => Err(user_error(
            format!("`{name}` is in none of the folders train, val, test, but other images are"),
            "move the image into the folder of its split",
        )),
    };
    names.iter().zip(folders).map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], validation: &str) -> Result<Vec<&'static str>> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params =
            Params { validation: validation.into(), val_fraction: 1.0, max_style_images: 9, seed: 0 };
        splits(&names, &params)
    }

    #[test]
    fn all_folders_define_a_split_or_none_does() {
        assert_eq!(
            of(&["train/1.jpg", "val/1.jpg", "test/1.jpg"], "val").expect("splits"),
            ["train", "val", "test"]
        );
        assert_eq!(
            of(&["train/1.jpg", "val/1.jpg", "test/1.jpg"], "test").expect("splits"),
            ["train", "test", "val"]
        );
        assert_eq!(of(&["all/train/1.jpg", "all/val/train/1.jpg"], "val").expect("splits"), ["train", "val"]);
        assert_eq!(of(&["1.jpg", "more/2.jpg"], "val").expect("drawn"), ["val", "val"]);
        assert_eq!(of(&["Train/1.jpg", "VALIDATION/1.jpg"], "val").expect("splits"), ["train", "val"]);
        let error = of(&["trainA/1.jpg", "trainB/1.jpg"], "val").expect_err("no pairs").to_string();
        assert!(error.contains("`trainA/1.jpg` is in a folder of a dataset without pairs"), "{error}");
        let error = of(&["train/1.jpg", "2.jpg"], "val").expect_err("astray").to_string();
        assert!(error.contains("`2.jpg` is in none of the folders train, val, test"), "{error}");
    }
}
