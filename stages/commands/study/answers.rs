//! Files of answers, which come from strangers.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::error::suggest;
use callsheet_worker::user_error;
use serde::Deserialize;

use crate::user_study::{Key, Question, Side};

/// Bytes of a file that is read: that of a study of 10,000 questions has a tenth of it.
const MOST_BYTES: u64 = 16 << 20;

/// Format of a file of answers.
const FORMAT: &str = "callsheet study answers 1";

/// Hexadecimal digits of a participant's number.
const DIGITS: usize = 16;

/// A file as a browser saves it.
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
    /// This one is more realistic.
    Realistic(Side),
    /// Both are, and this one is closer in style.
    Style(Side),
}

/// Somebody who answered.
pub(super) struct Participant {
    /// The file.
    pub path: PathBuf,
    /// Verdicts by position of the question in the key.
    pub verdicts: BTreeMap<usize, Verdict>,
}

/// Everybody whose files are named, or lie in the folders that are; `key_path` may lie among them.
///
/// # Errors
/// When a file holds no answers to the key's study, or two are of one participant.
pub(super) fn participants(key: &Key, key_path: &Path, named: &[PathBuf]) -> Result<Vec<Participant>> {
    let positions =
        key.questions.iter().enumerate().map(|(at, question)| (question.id.as_str(), at)).collect();
    let mut known: HashMap<String, PathBuf> = HashMap::new();
    let mut participants = Vec::new();
    for path in files(named, key_path)? {
        let saved = saved(&path, key)?;
        let verdicts = verdicts(&saved.answers, key, &positions, &path)?;
        if let Some(other) = known.insert(saved.participant.clone(), path.clone()) {
            return Err(user_error(
                Code::Conflict,
                format!(
                    "{} and {} are both of the participant {}",
                    other.display(),
                    path.display(),
                    saved.participant
                ),
                "leave one of them out: what was saved later holds all that was saved before",
            ));
        }
        participants.push(Participant { path, verdicts });
    }
    Ok(participants)
}

/// The files that are named, and those of folders by name.
fn files(named: &[PathBuf], key: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let is_key = |path: &PathBuf| path.canonicalize().ok() == key.canonicalize().ok();
        let all = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = all.filter(|path| is_json(path) && !is_key(path)).collect();
        if found.is_empty() {
            let help = "name the folder of the files that participants saved: they end with .json";
            return Err(user_error(Code::Unsupported, format!("{} holds no answers", path.display()), help));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// A file's bytes, if they are as few as a study's.
///
/// # Errors
/// When it is no file, larger, or unreadable.
pub(super) fn bounded(path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("cannot read {}", path.display());
    let help = "name files that participants saved, and the key of their study";
    // What is no file, a pipe say, may never end.
    if !fs::metadata(path).with_context(reading)?.is_file() {
        return Err(user_error(Code::Unsupported, format!("{} is no file", path.display()), help));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .with_context(reading)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(user_error(
            Code::Unsupported,
            format!("{} is larger than {} MiB", path.display(), MOST_BYTES >> 20),
            help,
        ));
    }
    Ok(bytes)
}

fn saved(path: &Path, key: &Key) -> Result<Saved> {
    let wrong = |problem: String, help: &str| {
        Err(user_error(Code::Unreadable, format!("{}: {problem}", path.display()), help))
    };
    let saved: Saved = match serde_json::from_slice(&bounded(path)?) {
        Ok(saved) => saved,
        Err(error) => {
            // It quotes what the file says, which a terminal would obey.
            let error = error.to_string().escape_debug().to_string();
            return wrong(
                format!("no answers of a study: {error}"),
                "ask the participant to save them once more, or leave the file out",
            );
        }
    };
    if saved.format != FORMAT {
        return wrong(
            format!("its format is {:?}, not {FORMAT:?}", saved.format),
            "use the callsheet that made the page",
        );
    }
    if saved.study != key.study {
        return wrong(
            format!("these are answers to the study {:?}, and the key is of {:?}", saved.study, key.study),
            "tally them with the key that was made beside their page",
        );
    }
    let digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if saved.participant.len() != DIGITS || !saved.participant.bytes().all(digit) {
        let help = "leave the file out: the page gives every participant 16 hexadecimal digits";
        return wrong(format!("{:?} is no participant", saved.participant), help);
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
            Err(user_error(
                Code::Unreadable,
                format!("{}: question {:?} {problem}", path.display(), answer.question),
                help,
            ))
        };
        let changed = "leave the file out: it was changed after it was saved".to_owned();
        let Some(at) = positions.get(answer.question.as_str()) else {
            let known = key.questions.iter().map(|question| question.id.as_str());
            return wrong("is none of the study".to_owned(), suggest(&answer.question, known));
        };
        let Question { left, right, .. } = &key.questions[*at];
        if [left, right] != [&answer.left, &answer.right] {
            let (shown, wanted) = ((&answer.left, &answer.right), (left, right));
            return wrong(format!("shows {shown:?} by the file, and {wanted:?} by the key"), changed);
        }
        let verdict = match (answer.realistic, answer.style) {
            (Realistic::Left, None) => Verdict::Realistic(Side::Left),
            (Realistic::Right, None) => Verdict::Realistic(Side::Right),
            (Realistic::Both, Some(side)) => Verdict::Style(side),
            (Realistic::Both, None) => {
                return wrong("lacks its style, and both are realistic".to_owned(), changed);
            }
            (_, Some(_)) => return wrong("has a style, and only one is realistic".to_owned(), changed),
        };
        if verdicts.insert(*at, verdict).is_some() {
            return wrong("is answered twice".to_owned(), changed);
        }
    }
    Ok(verdicts)
}
