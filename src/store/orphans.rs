//! Latest actions of stages that no pipeline declares any more: a stage was renamed, a value of a
//! `foreach` taken out, a pipeline deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::error::Result;

use super::files::{files, remove};
use super::heads::Heads;
use super::root::{Store, read_json};
use super::view::out;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// The file of latest actions that holds it.
    pub heads: PathBuf,
    /// The stage instance.
    pub stage: String,
    /// The pipeline and the dataset that it was run for.
    pub pipeline: String,
    /// The dataset; empty if there was none.
    pub dataset: String,
    /// The links that show what it made.
    pub shown: Vec<PathBuf>,
}

impl Store {
    /// Latest actions whose stage is not among those that `declared` says a pipeline has over a
    /// dataset.
    ///
    /// # Errors
    /// When the store cannot be listed, or `declared` cannot say.
    pub fn orphans(
        &self,
        declared: impl Fn(&str, &str) -> Result<BTreeSet<String>>,
    ) -> Result<BTreeSet<Orphan>> {
        let folder = self.workspace.path("heads");
        let mut orphans = BTreeSet::new();
        for path in files(&folder)? {
            let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("");
            let (Some(heads), Some(name)) = (read_json::<Heads>(&path), name.to_str()) else { continue };
            let (pipeline, dataset) = name.split_once('/').unwrap_or((name, ""));
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

    /// Forgets them, and takes away what shows them; the caller holds [`Store::exclusive`].
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget(&self, orphans: &BTreeSet<Orphan>) -> Result<()> {
        let paths: BTreeSet<&Path> = orphans.iter().map(|orphan| orphan.heads.as_path()).collect();
        for path in paths {
            let Some(mut heads) = read_json::<Heads>(path) else { continue };
            let gone = orphans.iter().filter(|orphan| orphan.heads == path);
            gone.for_each(|orphan| heads.remove(&orphan.stage));
            self.workspace.write_json(path, &heads)?;
        }
        for link in orphans.iter().flat_map(|orphan| &orphan.shown).filter(|path| path.is_symlink()) {
            remove(link)?;
            // What else is there is not ours to take away.
            let _ = link.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}
