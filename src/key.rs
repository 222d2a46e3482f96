//! What identifies a result.
//!
//! An action key is the BLAKE3 hash of [`ActionKey`] as canonical JSON (sorted names, no spaces).
//!
//! | part | hashed | why |
//! |---|---|---|
//! | stage, version, command | yes | another computation |
//! | files of the stage's folder that the command names | yes, content | a script is its own version |
//! | identity and budget parameters | yes, after defaults | two spellings of one value are one key |
//! | execution parameters | no | how, not what; recorded as provenance |
//! | inputs | content digest | early cutoff: an unchanged artifact changes nothing after it |
//! | stand-in labels | yes | a result from a stand-in never passes for one from footage |
//! | instance name, pipeline, dataset, profile | no | equal work is shared between them |
//! | worker program | no: the stage's `version` says when its results changed | a rebuild reruns nothing |
//! | environment, libraries, device, threads | no | knowingly imperfect; recorded as provenance |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declare::{Project, Role, StageDecl};
use crate::error::Result;
use crate::plan::Stage;
use crate::store::digest_file;

/// Bumped when keys mean something else.
/// 1: the first.
const FORMAT: u32 = 1;

/// 64 hexadecimal digits of a BLAKE3 hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12.min(self.0.len())]
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that identifies a result, printable.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ActionKey {
    /// Version of this struct.
    pub format: u32,
    /// Name of the stage's folder.
    pub stage: String,
    /// Its declared version.
    pub version: u32,
    /// Its declared command.
    pub command: Vec<String>,
    /// Digests of the files of its folder that the command names.
    pub code: BTreeMap<String, Digest>,
    /// Identity parameters.
    pub params: BTreeMap<String, Value>,
    /// Budget parameters.
    pub budget: BTreeMap<String, Value>,
    /// Content digests of the inputs.
    pub inputs: BTreeMap<String, Digest>,
    /// Stand-ins it rests on.
    pub labels: BTreeSet<String>,
}

impl ActionKey {
    /// The key of `stage` over inputs with the given content.
    ///
    /// # Errors
    /// When a file of the stage's folder that the command names cannot be read.
    pub fn new(project: &Project, stage: &Stage, inputs: BTreeMap<String, Digest>) -> Result<Self> {
        let with_role = |role: Role| {
            let params = stage.params.iter().filter(|(_, p)| p.role == role);
            params.map(|(name, p)| (name.clone(), p.value.clone())).collect()
        };
        Ok(Self {
            format: FORMAT,
            stage: stage.decl.name.clone(),
            version: stage.decl.version,
            command: stage.decl.command.clone(),
            code: code(project, &stage.decl)?,
            params: with_role(Role::Identity),
            budget: with_role(Role::Budget),
            inputs,
            labels: stage.labels.clone(),
        })
    }

    /// The hash that names the result.
    pub fn digest(&self) -> Digest {
        hash_json(self)
    }

    /// The hash that names the scratch folder: the same for every budget.
    pub fn scratch_digest(&self) -> Digest {
        hash_json(&Self { budget: BTreeMap::new(), ..self.clone() })
    }
}

fn hash_json(value: &impl Serialize) -> Digest {
    // serde_json writes struct fields in order and BTreeMaps sorted: one text per value.
    let text = serde_json::to_vec(value).expect("a key is plain data");
    blake3::hash(&text).into()
}

/// The files of a stage's folder that its command names, with their absolute paths.
pub fn scripts<'a>(project: &Project, decl: &'a StageDecl) -> Vec<(&'a str, PathBuf)> {
    let folder = project.root.join(&project.stages).join(&decl.name);
    let plain = |word: &&str| Path::new(word).file_name().is_some_and(|name| name == *word);
    let words = decl.command.iter().map(String::as_str).filter(plain);
    words.map(|word| (word, folder.join(word))).filter(|(_, path)| path.is_file()).collect()
}

fn code(project: &Project, decl: &StageDecl) -> Result<BTreeMap<String, Digest>> {
    let scripts = scripts(project, decl).into_iter();
    scripts.map(|(word, path)| Ok((word.to_owned(), digest_file(&path)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ActionKey {
        ActionKey {
            format: FORMAT,
            stage: "train".into(),
            version: 1,
            command: vec!["worker".into(), "train".into()],
            code: BTreeMap::new(),
            params: [("margin".to_owned(), Value::from(0.1))].into(),
            budget: [("stop_steps".to_owned(), Value::from(100))].into(),
            inputs: [("a".to_owned(), blake3::hash(b"a").into())].into(),
            labels: BTreeSet::new(),
        }
    }

    #[test]
    fn the_hash_of_a_key_is_fixed() {
        let digest = key().digest();
        assert_eq!(digest.short(), "feca0438f150", "a change of this loses every user's cache");
    }

    #[test]
    fn a_budget_is_in_the_key_but_not_in_the_scratch_folders() {
        let mut further = key();
        further.budget.insert("stop_steps".into(), Value::from(200));
        assert_ne!(further.digest(), key().digest());
        assert_eq!(further.scratch_digest(), key().scratch_digest());
    }

    #[test]
    fn any_other_part_changes_both() {
        let parts: [fn(&mut ActionKey); 6] = [
            |k| k.stage.push('x'),
            |k| k.version += 1,
            |k| k.command.push("x".into()),
            |k| drop(k.params.insert("margin".into(), Value::from(0.2))),
            |k| drop(k.inputs.insert("a".into(), blake3::hash(b"b").into())),
            |k| k.labels = ["stand-in".to_owned()].into(),
        ];
        for change in parts {
            let mut changed = key();
            change(&mut changed);
            assert_ne!(changed.digest(), key().digest());
            assert_ne!(changed.scratch_digest(), key().scratch_digest());
        }
    }
}
