//! Identity of a result.
//!
//! An action key is the BLAKE3 hash of [`ActionKey`] as canonical JSON (sorted names, no spaces).
//!
//! | part | hashed | why |
//! |---|---|---|
//! | stage, version, command | yes | another computation |
//! | files of the stage's folder that the command names | yes, content | a script is its own version |
//! | identity and budget parameters | yes, after defaults | two spellings of one value are one key |
//! | execution parameters | no | how, not what; recorded as provenance |
//! | columns that the outputs declare | yes | a table of other columns is another result |
//! | figures of the outputs | no | they say how reports show what is made |
//! | checks of the outputs | no | they say what is let through, not what is made: what is there was let through |
//! | inputs | content digest | early cutoff: an unchanged artifact changes nothing after it |
//! | names of the files of an input that takes files | yes, below their source's own folder | the worker sees them |
//! | instances of an input that takes many | yes, each under its values | the worker sees them, in an order that follows |
//! | `[rows]` of a row-wise stage | yes | which rows, and what of them, the worker sees |
//! | stand-in labels | yes | a result from a stand-in never passes for one from footage |
//! | instance name, pipeline, dataset, profile | no | equal work is shared between them |
//! | worker program | no: the stage's `version` says when its results changed | a rebuild reruns nothing |
//! | environment, libraries, device, threads | no | knowingly imperfect; recorded as provenance |

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declare::{Role, RowsDecl};
use crate::plan::StageInstance;

/// Bumped when keys mean something else.
/// 1: the first.
/// 2: files go by the names that the worker sees; columns are declared.
const FORMAT: u32 = 2;

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
    /// Columns of the tables among its outputs, with their types.
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Identity parameters.
    pub params: BTreeMap<String, Value>,
    /// Budget parameters.
    pub budget: BTreeMap<String, Value>,
    /// Content digests of the inputs.
    pub inputs: BTreeMap<String, Digest>,
    /// Stand-ins it rests on.
    pub labels: BTreeSet<String>,
    /// The rows of an input that a row-wise stage computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsDecl>,
}

impl ActionKey {
    /// The key of `stage` with the given content of its scripts and inputs.
    pub fn new(
        stage: &StageInstance,
        code: BTreeMap<String, Digest>,
        inputs: BTreeMap<String, Digest>,
    ) -> Self {
        let with_role = |role: Role| {
            let params = stage.params.iter().filter(|(_, p)| p.role == role);
            params.map(|(name, p)| (name.clone(), p.value.clone())).collect()
        };
        let outputs = stage.decl.outputs.iter().filter(|(_, output)| !output.columns.is_empty());
        Self {
            format: FORMAT,
            stage: stage.decl.name.clone(),
            version: stage.decl.version,
            command: stage.decl.command.clone(),
            code,
            columns: outputs.map(|(name, output)| (name.clone(), output.columns.clone())).collect(),
            params: with_role(Role::Identity),
            budget: with_role(Role::Budget),
            inputs,
            labels: stage.labels.clone(),
            rows: stage.decl.rows.clone(),
        }
    }

    /// The hash that names the result.
    pub fn digest(&self) -> Digest {
        hash_json(self)
    }

    /// The hash that names the scratch folder: the same for every budget.
    pub fn scratch_digest(&self) -> Digest {
        hash_json(&Self { budget: BTreeMap::new(), ..self.clone() })
    }

    /// The hash that names the rows that can stand for each other, whichever input they are of: those
    /// of this stage and version, with these parameters and other inputs. None if it is not row-wise.
    pub fn pool(&self) -> Option<Digest> {
        let rows = self.rows.as_ref()?;
        let mut shared = Self { rows: Some(rows.pooled()), ..self.clone() };
        shared.inputs.retain(|name, _| !rows.tells(name));
        Some(hash_json(&shared))
    }
}

fn hash_json(value: &impl Serialize) -> Digest {
    // serde_json writes struct fields in order and BTreeMaps sorted: one text per value.
    let text = serde_json::to_vec(value).expect("a key is plain data");
    blake3::hash(&text).into()
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
            columns: BTreeMap::new(),
            params: [("margin".to_owned(), Value::from(0.1))].into(),
            budget: [("stop_steps".to_owned(), Value::from(100))].into(),
            inputs: [("a".to_owned(), blake3::hash(b"a").into())].into(),
            labels: BTreeSet::new(),
            rows: None,
        }
    }

    #[test]
    fn the_hash_of_a_key_is_fixed() {
        let digest = key().digest();
        assert_eq!(digest.short(), "a00461fd3d92", "a change of this loses every user's cache");
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
        let parts: [fn(&mut ActionKey); 7] = [
            |k| k.stage.push('x'),
            |k| k.version += 1,
            |k| k.command.push("x".into()),
            |k| _ = k.columns.insert("t".into(), BTreeMap::new()),
            |k| _ = k.params.insert("margin".into(), Value::from(0.2)),
            |k| _ = k.inputs.insert("a".into(), blake3::hash(b"b").into()),
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
