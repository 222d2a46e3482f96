//! Stages that callsheet itself performs.

use std::path::Path;
use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText};

use super::resources::ResourcesDecl;
use super::stage::StageDecl;

/// Name of the stage that reads raw files as a table.
pub const READ_TABLE: &str = "read_table";

/// Name of the output of that stage.
pub const TABLE: &str = "table";

/// Returns the declaration of the stage that reads raw files as a table. `plan` runs the stage to count the rows of other
/// stages if `is_cheap`.
///
/// # Errors
/// Returns an error if the declaration is malformed, which tests exclude.
pub fn read_table_stage(root: &Path, is_cheap: bool) -> Result<StageDecl> {
    let text = include_str!("read_table.toml").to_owned();
    let source = Arc::new(SourceText::new("read_table.toml".into(), text));
    Ok(StageDecl {
        built_in: true,
        enumerates_rows: is_cheap,
        resources: ResourcesDecl { light: is_cheap, ..ResourcesDecl::default() },
        ..StageDecl::parse(&source, READ_TABLE, root)?
    })
}
