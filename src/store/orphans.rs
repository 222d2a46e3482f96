//! Latest actions of stages that no pipeline declares any more: a stage was renamed, a value of a
//! `foreach` taken out, a pipeline deleted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::inventory::files;
use super::verify::remove;
use super::{Heads, Store, read_json};
use crate::error::Result;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// The file of latest actions that holds it.
    pub heads: PathBuf,
    /// The stage instance.
    pub stage: String,
    /// The folder that shows what it made.
    pub shown: PathBuf,
}

impl Store {
    /// Latest actions whose stage is not among those that `declared` says a pipeline has over a
    /// dataset; where it cannot say, all are kept.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub fn orphans(
        &self,
        declared: impl Fn(&str, &str) -> Option<BTreeSet<String>>,
    ) -> Result<BTreeSet<Orphan>> {
        let folder = self.path("heads");
        let mut orphans = BTreeSet::new();
        for path in files(&folder)? {
            let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("");
            let (Some(heads), Some(name)) = (read_json::<Heads>(&path), name.to_str()) else { continue };
            let (pipeline, dataset) = name.split_once('/').unwrap_or((name, ""));
            let Some(declared) = declared(pipeline, dataset) else { continue };
            let shown = self.root.with_file_name("out").join(pipeline).join(dataset);
            let gone = heads.iter().filter(|(stage, _)| !declared.contains(*stage));
            orphans.extend(gone.map(|(stage, _)| Orphan {
                heads: path.clone(),
                stage: stage.clone(),
                shown: shown.join(stage),
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
            self.write_json(path, &heads)?;
        }
        orphans.iter().try_for_each(|orphan| remove(&orphan.shown))
    }
}
