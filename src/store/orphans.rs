//! Latest actions of stages that no pipeline declares any more, because a stage was renamed, a value of a
//! `foreach` removed, or a pipeline deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::Result;

use super::files::{files, remove};
use super::half::read_json;
use super::latest::{LATEST, LatestResults};
use super::root::Store;
use crate::target::Target;

/// Latest action of a stage that is not declared any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// File of latest actions that contains this action.
    pub heads: PathBuf,
    /// Name of the stage instance.
    pub stage: String,
    /// Target for which the stage ran.
    pub target: Target,
    /// Links in `data/out` to the outputs of the action.
    pub shown: Vec<PathBuf>,
}

impl Store {
    /// Latest actions of stages that are not declared. `declared` returns the stages of a target. Left out are
    /// those for whose pipeline and owning project `foreign` returns true.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed, or `declared` fails.
    pub fn orphans(
        &self,
        foreign: impl Fn(&str, &str) -> bool,
        declared: impl Fn(&Target) -> Result<BTreeSet<String>>,
    ) -> Result<BTreeSet<Orphan>> {
        let mut orphans = BTreeSet::new();
        for path in files(&self.workspace.path(LATEST))? {
            let Some(heads) = read_json::<LatestResults>(&path) else { continue };
            let target = heads.target();
            if foreign(&target.pipeline, heads.project()) {
                continue;
            }
            let declared = declared(target)?;
            let out = target.out(&self.workspace.path(".."));
            let gone = heads.iter().filter(|(stage, _)| !declared.contains(*stage));
            orphans.extend(gone.map(|(stage, head)| Orphan {
                heads: path.clone(),
                stage: stage.clone(),
                target: target.clone(),
                shown: head.shown_names().map(|(_, name)| out.join(stage).join(name)).collect(),
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
            // The trace is not valid any more.
            remove(&self.trace_path(heads.target()))?;
        }
        for link in orphans.iter().flat_map(|orphan| &orphan.shown).filter(|path| path.is_symlink()) {
            remove(link)?;
            // This removes only an empty folder: other files in it do not belong to callsheet.
            let _ = link.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}
