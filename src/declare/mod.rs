//! Declarations as written: `callsheet.toml`, `stage.toml`, pipeline, dataset and profile files.
//! Nothing is resolved here; that is [`crate::plan`]'s work.

mod layer;
mod origin;
mod param;
mod project;
mod stage;

pub use layer::{Layer, Otherwise, SourceUse, StageUse};
pub use origin::{Origin, read_toml};
pub use param::{ParamDecl, ParamType, Role};
pub use project::Project;
pub use stage::{ArtifactKind, Cpus, InputDecl, OutputDecl, StageDecl};
