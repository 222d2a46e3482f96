//! Declarations as written: `callsheet.toml`, `stage.toml`, pipeline, dataset and profile files.
//! This module resolves nothing; [`crate::plan`] does.
//!
//! Four types describe a stage, from its file to its instances:
//!
//! | type | contents | created by |
//! |---|---|---|
//! | `StageFile` | `stage.toml` as written | serde |
//! | [`StageDecl`] | a valid declaration: inputs, outputs, parameters, command | [`StageDecl::read`] |
//! | [`StageUse`] | the use of a declaration in a pipeline, dataset or profile: wiring, values, `foreach` | [`Layer::read`] |
//! | [`crate::plan::StageInstance`] | one instance with final values, after all layers and `foreach` | [`crate::plan::resolve()`] |

mod accept;
mod artifact;
mod built_in;
mod checks;
mod code;
mod executor;
mod foreach;
mod headline;
mod layer;
mod origin;
mod param;
mod programs;
mod project;
mod python;
mod resources;
mod rows;
mod scalar;
mod schema;
mod stage;
mod stage_file;
mod store_key;
mod user;
mod valid;

pub use artifact::{ArtifactKind, Figure, InputDecl, OutputDecl, TableFormat, VerdictsOn};
pub use built_in::{READ_TABLE, TABLE, read_table_stage};
pub use checks::{Bounds, ChecksDecl, RowsCheck};
pub use executor::{ClassDecl, ExecutorDecl, ExecutorKind, LOCAL, executors_file};
pub use foreach::{Foreach, Values, value_text};
pub use headline::{Direction, HeadlineDecl, LABEL, MeasureDecl};
pub use layer::{Fallback, Layer, SourceUse, StageUse, var_problem};
pub use origin::{NAME_RULE, Origin, braced, check_name, is_name, parse_toml, read_toml};
pub use param::{ParamDecl, ParamType, Role};
pub use programs::{command, engine};
pub use project::{
    BUILT_IN, CommandDecl, Defaults, FILE as PROJECT_FILE, IMPORTS, NotifyDecl, Project, Sandbox, layer_names,
};
pub use python::PythonDecl;
pub use resources::{Bytes, Cpus, ResourcesDecl, Seconds, TimeLimit};
pub use rows::RowsDecl;
pub use scalar::json_table;
pub use schema::{pipeline_schema, project_schema, stage_schema};
pub use stage::{StageDecl, StageSpec};
pub use store_key::{remove_store_key, write_store_key};
