//! Latest actions of stages that no pipeline declares any more, because a stage was renamed, a value of a
//! `foreach` removed, or a pipeline deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::Result;

use super::files::{files, remove};
use super::latest::LatestResults;
use super::root::{Store, read_json};
use super::view::out;

/// Latest action of a stage that is not declared any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// File of latest actions that contains this action.
    pub heads: PathBuf,
    /// Name of the stage instance.
    pub stage: String,
    /// Pipeline for which the stage ran.
    pub pipeline: String,
    /// Dataset for which the stage ran; empty if there was none.
    pub dataset: String,
    /// Links in `data/out` to the outputs of the action.
    pub shown: Vec<PathBuf>,
}

impl Store {
    /// Latest actions of stages that are not declared. `declared` returns the stages of a pipeline over a dataset. Left
    /// out are those for whose pipeline and owning project `foreign` returns true.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed, or `declared` fails.
    pub fn orphans(
        &self,
        foreign: impl Fn(&str, &str) -> bool,
        declared: impl Fn(&str, &str) -> Result<BTreeSet<String>>,
    ) -> Result<BTreeSet<Orphan>> {
        let folder = self.workspace.path("heads");
        let mut orphans = BTreeSet::new();
        for path in files(&folder)? {
            let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("");
            let (Some(heads), Some(name)) = (read_json::<LatestResults>(&path), name.to_str()) else {
                continue;
            };
            let (pipeline, dataset) = name.split_once('/').unwrap_or((name, ""));
            if foreign(pipeline, heads.project()) {
                continue;
            }
            let declared = declared(pipeline, dataset)?;
            let out = out(&self.workspace.path(".."), pipeline, dataset);
            let gone = heads.iter().filter(|(stage, _)| !declared.contains(*stage));
            orphans.extend(gone.map(|(stage, head)| Orphan {
                heads: path.clone(),
                stage: stage.clone(),
                pipeline: pipeline.to_owned(),
                dataset: dataset.to_owned(),
                shown: head.names.iter().map(|name| out.join(stage).join(name)).collect(),
            }));
        }
        Ok(orphans)
    }

    /// Forgets latest actions, and removes the links to their outputs. The caller must hold
    /// [`Store::exclusive`].
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn forget(&self, orphans: &BTreeSet<Orphan>) -> Result<()> {
        let paths: BTreeSet<&Path> = orphans.iter().map(|orphan| orphan.heads.as_path()).collect();
        for path in paths {
            let Some(mut heads) = read_json::<LatestResults>(path) else { continue };
            let gone = orphans.iter().filter(|orphan| orphan.heads == path);
            gone.for_each(|orphan| heads.remove(&orphan.stage));
            self.workspace.write_json(path, &heads)?;
        }
        for link in orphans.iter().flat_map(|orphan| &orphan.shown).filter(|path| path.is_symlink()) {
            remove(link)?;
            // This removes only an empty folder: other files in it do not belong to callsheet.
            let _ = link.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}
