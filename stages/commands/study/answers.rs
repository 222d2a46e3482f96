//! Files of answers, which come from participants and are not trusted.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::error::suggest;
use callsheet_worker::user_error_with_code;
use serde::Deserialize;

use crate::commands::paths::path_error;
use crate::user_study::{Key, Question, Side};

/// Largest size of a file in bytes. The answers to a study of 10,000 questions have a tenth of this size.
const MOST_BYTES: u64 = 16 << 20;

/// Format of a file of answers.
const FORMAT: &str = "callsheet study answers 1";

/// Hexadecimal digits of a participant's number.
const DIGITS: usize = 16;

/// A file of answers as a browser saves it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: String,
    study: String,
    participant: String,
    #[serde(rename = "complete")]
    _complete: bool,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    question: String,
    left: String,
    right: String,
    realistic: Realistic,
    style: Option<Side>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Realistic {
    Left,
    Right,
    Both,
}

/// Answer of a participant to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The image on this side is more realistic.
    Realistic(Side),
    /// Both images are realistic, and the one on this side is closer in style.
    Style(Side),
}

/// Participant of the study, with the answers given.
pub(super) struct Participant {
    /// File of the answers.
    pub path: PathBuf,
    /// Verdicts by position of the question in the key.
    pub verdicts: BTreeMap<usize, Verdict>,
}

/// Reads the participants' files that are named, and those in the named folders, where `key_path` is skipped.
///
/// # Errors
/// Returns an error if a file does not contain answers to the key's study, or two files are from one
/// participant.
pub(super) fn participants(key: &Key, key_path: &Path, named: &[PathBuf]) -> Result<Vec<Participant>> {
    let positions =
        key.questions.iter().enumerate().map(|(at, question)| (question.id.as_str(), at)).collect();
    let mut known: HashMap<String, PathBuf> = HashMap::new();
    let mut participants = Vec::new();
    for path in files(named, key_path)? {
        let saved = saved(&path, key)?;
        let verdicts = verdicts(&saved.answers, key, &positions, &path)?;
        if let Some(other) = known.insert(saved.participant.clone(), path.clone()) {
            return Err(user_error_with_code(
                Code::Conflict,
                format!(
                    "`{}` and `{}` are both from participant {}",
                    other.display(),
                    path.display(),
                    saved.participant
                ),
                "name only the file that the participant saved last",
            ));
        }
        participants.push(Participant { path, verdicts });
    }
    Ok(participants)
}

/// Lists the named files, and the `.json` files in named folders, sorted by name.
fn files(named: &[PathBuf], key: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|error| path_error("cannot list", path, error))?;
        let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let is_key = |path: &PathBuf| path.canonicalize().ok() == key.canonicalize().ok();
        let all = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = all.filter(|path| is_json(path) && !is_key(path)).collect();
        if found.is_empty() {
            let help = "name a folder with .json files that participants saved";
            return Err(user_error_with_code(
                Code::Unsupported,
                format!("`{}` contains no file of answers", path.display()),
                help,
            ));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// Reads a file of at most `MOST_BYTES`.
///
/// # Errors
/// Returns an error if `path` is not a regular file, or the file is larger or cannot be read.
pub(super) fn bounded(path: &Path) -> Result<Vec<u8>> {
    let reading = |error| path_error("cannot read", path, error);
    // A path that is not a regular file, such as a pipe, may never end.
    if !fs::metadata(path).map_err(reading)?.is_file() {
        return Err(user_error_with_code(
            Code::Unsupported,
            format!("`{}` is not a file", path.display()),
            "name the key.json of the study first, and then files that participants saved, or folders of \
             such files",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(reading)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(user_error_with_code(
            Code::Unsupported,
            format!("`{}` is larger than {} MiB", path.display(), MOST_BYTES >> 20),
            "remove the file from the command; keys and files of answers are smaller",
        ));
    }
    Ok(bytes)
}

fn saved(path: &Path, key: &Key) -> Result<Saved> {
    let wrong = |problem: String, help: &str| {
        Err(user_error_with_code(Code::Unreadable, format!("`{}`: {problem}", path.display()), help))
    };
    let saved: Saved = match serde_json::from_slice(&bounded(path)?) {
        Ok(saved) => saved,
        Err(error) => {
            // The message quotes the file, and a terminal would obey control characters in it.
            let error = error.to_string().escape_debug().to_string();
            return wrong(
                format!("the file does not contain valid answers: {error}"),
                "ask the participant to save the answers again, or remove the file from the command",
            );
        }
    };
    if saved.format != FORMAT {
        return wrong(
            format!("unknown format {:?}, expected {FORMAT:?}", saved.format),
            "name a file that the page of the study saved, or use the version of callsheet that created \
             the page",
        );
    }
    if saved.study != key.study {
        return wrong(
            format!(
                "the answers belong to the study {:?}, but the key belongs to the study {:?}",
                saved.study, key.study
            ),
            "name the key.json of the study of these answers, or remove the file from the command",
        );
    }
    let digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if saved.participant.len() != DIGITS || !saved.participant.bytes().all(digit) {
        let help = "remove the file from the command: the page gives each participant an id of 16 \
                    hexadecimal digits";
        return wrong(format!("{:?} is not a valid id of a participant", saved.participant), help);
    }
    Ok(saved)
}

fn verdicts(
    answers: &[Answer],
    key: &Key,
    positions: &HashMap<&str, usize>,
    path: &Path,
) -> Result<BTreeMap<usize, Verdict>> {
    let mut verdicts = BTreeMap::new();
    for answer in answers {
        let wrong = |problem: String, help: String| {
            Err(user_error_with_code(
                Code::Unreadable,
                format!("`{}`: question {:?} {problem}", path.display(), answer.question),
                help,
            ))
        };
        let changed = String::from(
            "remove the file from the command, or ask the participant for the original file; the page of the \
             study does not save such answers",
        );
        let Some(at) = positions.get(answer.question.as_str()) else {
            let known = key.questions.iter().map(|question| question.id.as_str());
            return wrong("is not part of the study".to_owned(), suggest(&answer.question, known));
        };
        let Question { left, right, .. } = &key.questions[*at];
        if [left, right] != [&answer.left, &answer.right] {
            let (shown, wanted) = ((&answer.left, &answer.right), (left, right));
            return wrong(
                format!("shows {shown:?} according to the file, but {wanted:?} according to the key"),
                changed,
            );
        }
        let verdict = match (answer.realistic, answer.style) {
            (Realistic::Left, None) => Verdict::Realistic(Side::Left),
            (Realistic::Right, None) => Verdict::Realistic(Side::Right),
            (Realistic::Both, Some(side)) => Verdict::Style(side),
            (Realistic::Both, None) => {
                return wrong(
                    "has no answer on style, although both outputs are marked as realistic".to_owned(),
                    changed,
                );
            }
            (_, Some(_)) => {
                return wrong(
                    "has an answer on style, although only one output is marked as realistic".to_owned(),
                    changed,
                );
            }
        };
        if verdicts.insert(*at, verdict).is_some() {
            return wrong("is answered twice".to_owned(), changed);
        }
    }
    Ok(verdicts)
}
