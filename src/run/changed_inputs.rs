//! Changes of a stage's inputs in words: names of files and numbers of rows instead of digests.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::list;
use litemap::LiteMap;

use crate::plan::{Input, Plan, StageInstance, gathered};
use crate::store::{Object, Provenance, Sources};

/// Content of an input, as far as a reason names it.
pub(super) enum InputContent {
    /// Digests of raw files by path.
    Files(BTreeMap<String, Digest>),
    /// Number of rows; none if the artifact is not a table.
    Artifact(Option<u64>),
}

/// Returns the present content of each input of a stage, by the name that the key of the stage gives it.
pub(super) fn input_contents<'a>(
    sources: &mut Sources,
    plan: &Plan,
    stage: &StageInstance,
    objects: impl Fn(usize) -> Option<&'a LiteMap<String, Object>>,
) -> BTreeMap<String, InputContent> {
    let rows = |producer: usize, output: &str| objects(producer).and_then(|made| made.get(output)?.rows);
    let mut contents = BTreeMap::new();
    for (name, input) in &stage.inputs {
        match input {
            Input::Source { files, base, .. } => {
                let each = sources.digest_all(files, base).map(|(_, each)| each).unwrap_or_default();
                contents.insert(name.clone(), InputContent::Files(each));
            }
            Input::Artifact { stage, output } => {
                contents.insert(name.clone(), InputContent::Artifact(rows(*stage, output)));
            }
            Input::Gather { stages, output } => {
                for stage in stages {
                    let name = gathered(name, &plan.stages[*stage].values);
                    contents.insert(name, InputContent::Artifact(rows(*stage, output)));
                }
            }
        }
    }
    contents
}

/// Describes how an input differs from that of an earlier action: `96 rows, were 768` or `a.txt changed, b.txt new`.
pub(super) fn change(
    name: &str,
    all: &BTreeMap<String, InputContent>,
    before: &Provenance,
) -> Option<String> {
    let now = all.get(name)?;
    Some(match now {
        InputContent::Artifact(rows) => match (rows, before.input_rows.get(name)) {
            (Some(rows), Some(old)) if rows == old => format!("changed ({rows} rows)"),
            (Some(rows), Some(old)) => format!("{rows} rows, were {old}"),
            _ => "changed".to_owned(),
        },
        InputContent::Files(files) => {
            // The earlier action has the files of all inputs: removed are those of these folders that no input has now.
            let folders: BTreeSet<&str> = files.keys().map(|file| folder(file)).collect();
            let others =
                all.iter().filter(|(other, _)| *other != name).filter_map(|(_, content)| match content {
                    InputContent::Files(files) => Some(files),
                    InputContent::Artifact(_) => None,
                });
            let others: BTreeSet<&String> = others.flat_map(BTreeMap::keys).collect();
            let old = before.sources.iter().filter(|(file, _)| folders.contains(folder(file)));
            let old: BTreeMap<&String, &Digest> = old.filter(|(file, _)| !others.contains(file)).collect();
            let changes = files.iter().filter_map(|(file, digest)| match old.get(file) {
                Some(old) if *old == digest => None,
                Some(_) => Some(format!("{} changed", last(file))),
                None => Some(format!("{} new", last(file))),
            });
            let removed = old.keys().filter(|file| !files.contains_key(**file));
            let changes: Vec<String> =
                changes.chain(removed.map(|file| format!("{} removed", last(file)))).collect();
            if changes.is_empty() { "changed".to_owned() } else { list(changes) }
        }
    })
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn last(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_files_and_numbers_of_rows() {
        let digest = |text: &str| Digest::from(blake3::hash(text.as_bytes()));
        let files = |files: &[(&str, &str)]| -> BTreeMap<String, Digest> {
            files.iter().map(|(file, text)| ((*file).to_owned(), digest(text))).collect()
        };
        let before = Provenance {
            sources: files(&[("raw/a", "1"), ("raw/b", "2"), ("raw/c", "3"), ("other/d", "4")]),
            input_rows: BTreeMap::from([("pairs".to_owned(), 768)]),
            ..Provenance::default()
        };
        let change_of =
            |now| change("pairs", &BTreeMap::from([("pairs".to_owned(), now)]), &before).expect("known");
        let now = files(&[("raw/a", "1"), ("raw/b", "new"), ("raw/x", "5")]);
        assert_eq!(change_of(InputContent::Files(now)), "b changed, x new, c removed");
        assert_eq!(change_of(InputContent::Artifact(Some(96))), "96 rows, were 768");
        assert_eq!(change_of(InputContent::Artifact(Some(768))), "changed (768 rows)");
        assert_eq!(change_of(InputContent::Artifact(None)), "changed");
        let both = BTreeMap::from([
            ("pairs".to_owned(), InputContent::Files(files(&[("raw/a", "new")]))),
            ("rest".to_owned(), InputContent::Files(files(&[("raw/b", "2"), ("raw/c", "3")]))),
        ]);
        assert_eq!(
            change("pairs", &both, &before).as_deref(),
            Some("a changed"),
            "b and c are of another input"
        );
    }
}
