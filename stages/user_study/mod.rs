//! Page on which people choose between one method's outputs and those of others, and its key.

mod album;
mod design;
mod key;
mod makers;
mod originals;
mod outputs;
mod page;
mod scenes;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::lib::figures::{noted, pictures};
use crate::lib::model::Weights;
use album::Album;
use design::{Planned, letters, planned};
use key::KEY_FORMAT;
pub(crate) use key::{Key, Purpose, Question, Side};
use makers::Maker;
use originals::Originals;
use outputs::outputs;
use scenes::{Scene, Val};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    questions: usize,
    checks: usize,
    crop: i64,
    side: u32,
    title: String,
    note: String,
    seed: i64,
}

/// Images that are compared in an attention check.
const CHECKED: [&str; 2] = ["a real image", "its pixels in random order"];

/// Number of digits of a study's digest.
const DIGITS: usize = 16;

/// Runs the stage.
///
/// # Errors
/// Returns an error if there is nothing to compare, a model is damaged or expects images of another size, or
/// there are fewer than two validation images.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let makers = Maker::all(job)?;
    let (scenes, asked) = scenes(job, &params)?;
    let originals = Originals::load(job.input("pairs")?, &scenes, params.crop)?;
    let mut album = Album::new(params.side);
    let contents = album.add(pictures(&originals.contents))?;
    let styles = album.add(pictures(&originals.styles))?;
    let outputs = outputs(job, &makers, &originals, asked, (params.weights, params.seed), &mut album)?;

    let letters = letters(makers.len() + CHECKED.len(), params.seed);
    let plan = planned(makers.len(), asked, scenes.len() - asked, params.seed);
    let questions: Vec<Question> =
        plan.iter().enumerate().map(|(n, planned)| question(n, planned, &scenes, &letters)).collect();
    let shown = |(question, planned): (&Question, &Planned)| {
        let output =
            |maker: usize| json!({ "method": letters[maker], "image": outputs[&(maker, planned.scene)] });
        let [left, right] = planned.makers.map(output);
        let (content, style) = (contents[planned.scene], styles[planned.scene]);
        json!({ "id": question.id, "content": content, "style": style, "left": left, "right": right })
    };
    let note = noted(job, &params.note);
    let mut study = json!({
        "title": params.title,
        "note": note,
        "images": album.uris(),
        "questions": questions.iter().zip(&plan).map(shown).collect::<Vec<Value>>(),
    });
    study.sort_all_objects(); // so that equal studies have equal pages
    let digest = blake3::hash(study.to_string().as_bytes()).to_hex()[..DIGITS].to_owned();
    study["study"] = Value::from(digest.as_str());
    study.sort_all_objects();
    let html = page::html(&study);
    job.info(format!("{} questions, {:.1} MB", questions.len(), html.len() as f64 / 1e6));
    let folder = job.output("page")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    write(&folder.join("study.html"), html)?;

    let checked = if params.checks > 0 { &CHECKED[..] } else { &[] };
    let names = makers.iter().map(|maker| maker.name.as_str()).chain(checked.iter().copied());
    let key = Key {
        format: KEY_FORMAT.to_owned(),
        study: digest,
        title: params.title,
        note,
        ours: letters[0].clone(),
        methods: letters.iter().cloned().zip(names.map(str::to_owned)).collect(),
        questions,
    };
    write(job.output("key")?, serde_json::to_string_pretty(&key)? + "\n")
}

/// Returns the scenes of the questions followed by those of the checks, and the number of the former.
fn scenes(job: &Job, params: &Params) -> Result<(Vec<Scene>, usize)> {
    let val = Val::read(job.input("pairs")?)?;
    let drawn = |count: usize, purpose: &str, questions: &str| {
        let scenes = val.scenes(count, params.seed, purpose)?;
        if scenes.len() < count {
            let found = scenes.len();
            job.warn(format!(
                "there are only {found} validation images, not {count}, which limits the {questions}"
            ));
        }
        anyhow::Ok(scenes)
    };
    let mut scenes = drawn(params.questions, "style", "questions about each method")?;
    let asked = scenes.len();
    scenes.extend(drawn(params.checks, "style of a check", "checks")?);
    Ok((scenes, asked))
}

fn question(n: usize, planned: &Planned, scenes: &[Scene], letters: &[String]) -> Question {
    let Scene { content, style } = scenes[planned.scene].clone();
    let [left, right] = planned.makers.map(|maker| letters[maker].clone());
    Question { id: format!("q{:03}", n + 1), content, style, left, right, purpose: planned.purpose }
}

fn write(path: &Path, text: String) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
