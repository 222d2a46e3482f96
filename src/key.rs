//! Identity of a result.
//!
//! An action key is the BLAKE3 hash of [`ActionKey`] as canonical JSON (sorted names, no spaces).
//!
//! | part | hashed | why |
//! |---|---|---|
//! | stage, version, command, Python environment as declared | yes | they define the computation |
//! | files that are the stage's code | yes, name and content | an edited script is another computation |
//! | identity and budget parameters | yes, with defaults filled in | two spellings of a value give one key |
//! | execution parameters | no | they do not change the result; recorded as provenance |
//! | columns that the outputs declare | yes | a table with other columns is another result |
//! | figures of the outputs | no | they only change how reports show a result |
//! | checks of the outputs | no | they only decide what is published; a stored result has passed its checks |
//! | inputs | content digest | early cutoff: an unchanged artifact invalidates no downstream stage |
//! | names of the files of an input that takes files | yes, relative to their source | the worker sees them |
//! | instances of an input that takes many | yes, each under its values | the worker sees them, sorted by values |
//! | `[rows]` of a row-wise stage | yes | it selects the rows and columns that the worker sees |
//! | stand-in labels | yes | a result based on a stand-in is never used in place of one based on raw data |
//! | instance name, pipeline, dataset, profile | no | equal actions share one result |
//! | worker program | no: the stage's `version` stands for it | a rebuild invalidates nothing |
//! | environment, libraries, device, threads | no | a known limitation; recorded as provenance |

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declare::{Role, RowsDecl};
use crate::plan::StageInstance;

/// Version of the key format, raised when the meaning of keys changes.
/// 1: first format.
/// 2: the names of files as the worker sees them, and declared columns, are part of the key.
/// 3: all files of a stage's folder are code; the content of a folder has modes, links and empty folders, and names as
///    bytes; `covered_by_digest` was called `told`; two stages have other names.
const FORMAT: u32 = 3;

/// Everything that identifies a result, in printable form.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ActionKey {
    /// Version of this struct.
    pub format: u32,
    /// Name of the stage, which is its folder.
    pub stage: String,
    /// Declared version of the stage.
    pub version: u32,
    /// Declared command of the stage.
    pub command: Vec<String>,
    /// Declared Python environment of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Digests of the files that are the stage's code, by name.
    pub code: BTreeMap<String, Digest>,
    /// Names and types of the columns of each output table.
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Identity parameters.
    pub params: BTreeMap<String, Value>,
    /// Budget parameters.
    pub budget: BTreeMap<String, Value>,
    /// Content digests of the inputs.
    pub inputs: BTreeMap<String, Digest>,
    /// Stand-ins that the result is based on.
    pub labels: BTreeSet<String>,
    /// Selection of the input rows that a row-wise stage computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsDecl>,
}

impl ActionKey {
    /// Creates the key of `stage` from the digests of its `code` and of its inputs.
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
            python: stage.decl.python.as_ref().map(|python| python.declared.clone()),
            code,
            columns: outputs.map(|(name, output)| (name.clone(), output.columns.clone())).collect(),
            params: with_role(Role::Identity),
            budget: with_role(Role::Budget),
            inputs,
            labels: stage.labels.clone(),
            rows: stage.decl.rows.clone(),
        }
    }

    /// Returns the hash that names the result.
    pub fn digest(&self) -> Digest {
        hash_json(self)
    }

    /// Returns the hash that names the scratch folder; all budgets share one folder.
    pub fn scratch_digest(&self) -> Digest {
        hash_json(&Self { budget: BTreeMap::new(), ..self.clone() })
    }

    /// Returns the hash that names a pool of interchangeable rows, or `None` if the stage is not row-wise. The
    /// action keys of these rows differ only in the selection of rows and in inputs that each row identifies
    /// by its own columns.
    pub fn pool(&self) -> Option<Digest> {
        let rows = self.rows.as_ref()?;
        let mut shared = Self { rows: Some(rows.pooled()), ..self.clone() };
        shared.inputs.retain(|name, _| !rows.tells(name));
        Some(hash_json(&shared))
    }
}

fn hash_json(value: &impl Serialize) -> Digest {
    // serde_json writes struct fields in order and BTreeMaps sorted, so each value has one text.
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
            python: None,
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
        assert_eq!(digest.short(), "7341d199f5c2", "a change of this hash invalidates every user's cache");
    }

    #[test]
    fn a_budget_changes_the_key_but_not_the_scratch_folder() {
        let mut further = key();
        further.budget.insert("stop_steps".into(), Value::from(200));
        assert_ne!(further.digest(), key().digest());
        assert_eq!(further.scratch_digest(), key().scratch_digest());
    }

    #[test]
    fn any_other_part_changes_the_key_and_the_scratch_folder() {
        let parts: [fn(&mut ActionKey); 8] = [
            |k| k.stage.push('x'),
            |k| k.version += 1,
            |k| k.command.push("x".into()),
            |k| k.python = Some(".venv".into()),
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
