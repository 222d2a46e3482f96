//! Validation of parameters: the keys that belong to their type, and their defaults.

use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText};

use crate::declare::origin::Origin;
use crate::declare::param::{ParamDecl, ParamType};
use crate::declare::stage_file::StageFile;

/// Validates every parameter.
pub(super) fn check(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for (param, decl) in &file.params {
        if let Some((message, help)) = misplaced(decl) {
            let message = format!("parameter `{}`: {message}", param.get_ref());
            return Err(DeclarationError::new(source, param.span(), message, "this parameter")
                .with_help(help)
                .into());
        }
        // The usual help quotes the default as an example.
        if let Err((message, _)) = decl.accept(decl.default.get_ref()) {
            let origin = Origin::File(source.clone(), decl.default.span());
            let message = format!("default of `{}`: {message}", param.get_ref());
            return Err(origin.declaration_error(message, "this default", format!("use {}", decl.wanted())));
        }
    }
    Ok(())
}

/// Finds a key that is missing or has no effect, or bounds that no value satisfies.
fn misplaced(decl: &ParamDecl) -> Option<(&'static str, &'static str)> {
    let list = decl.kind == ParamType::List;
    if list && decl.elements.is_none() {
        return Some(("a list needs the type of its elements", "add e.g. elements = \"int\""));
    }
    let of_list = decl.elements.is_some() || decl.min_length.is_some() || decl.max_length.is_some();
    if !list && of_list {
        let message = "`elements`, `min_length` and `max_length` are only for lists";
        return Some((message, "set type = \"list\", or remove these keys"));
    }
    if decl.min.zip(decl.max).is_some_and(|(min, max)| min > max) {
        return Some(("`min` is above `max`", "set `min` to at most `max`"));
    }
    if decl.min_length.zip(decl.max_length).is_some_and(|(min, max)| min > max) {
        return Some(("`min_length` is above `max_length`", "set `min_length` to at most `max_length`"));
    }
    None
}
