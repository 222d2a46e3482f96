//! Validation of the command of a stage, and of the reasons for its versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use callsheet_worker::error::{DeclarationError, Result, SourceText, suggest};

use crate::declare::origin::braced;
use crate::declare::param::ParamType;
use crate::declare::stage_file::StageFile;

/// Checks that every version above 1 has a reason.
pub(super) fn check_version(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for bump in 2..=*file.version.get_ref() {
        if !file.history.contains_key(&bump.to_string()) {
            let message = format!("{}: [history] does not explain version {bump}", source.path.display());
            return Err(DeclarationError::new(source, file.version.span(), message, "declared here")
                .with_help(format!("add `{bump} = \"why the result changed\"` under [history]"))
                .into());
        }
    }
    Ok(())
}

/// Checks that the command names a program, and that its placeholders name something that is declared.
pub(super) fn check_command(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    if file.command.get_ref().first().is_none_or(String::is_empty) {
        let message = format!("{}: the command names no program", source.path.display());
        return Err(DeclarationError::new(source, file.command.span(), message, "declared here")
            .with_help("name a program, e.g. command = [\"python3\", \"stage.py\"]")
            .into());
    }
    check_placeholders(file, source)
}

/// Checks that every placeholder of the command names something that is declared.
fn check_placeholders(file: &StageFile, source: &Arc<SourceText>) -> Result<()> {
    for word in file.command.get_ref() {
        let inputs: BTreeSet<&str> =
            placeholders(word).filter(|(kind, _)| *kind == "inputs").map(|(_, name)| name).collect();
        if inputs.len() > 1 {
            let message = format!(
                "the argument `{word}` contains several inputs, but may contain only one, \
                 because an input can have several files"
            );
            let fault = DeclarationError::new(source, file.command.span(), message, "in this command");
            return Err(fault
                .with_help(
                    "pass each input as a separate argument; a shell script reads them as \"$1\", \"$2\", ..",
                )
                .into());
        }
        check_list(file, word, source)?;
        for (kind, name) in placeholders(word) {
            let known: Vec<&str> = match kind {
                "inputs" => file.inputs.keys().map(|name| name.get_ref().as_str()).collect(),
                "outputs" => file.outputs.keys().map(|name| name.get_ref().as_str()).collect(),
                _ => file.params.keys().map(|name| name.get_ref().as_str()).collect(),
            };
            if !known.contains(&name) {
                let message = format!("the command names `{kind}.{name}`, which is not declared");
                let fault = DeclarationError::new(source, file.command.span(), message, "in this command");
                return Err(fault.with_help(suggest(name, known)).into());
            }
        }
    }
    Ok(())
}

/// Checks that a list is an argument of its own, because it becomes one argument for each element.
fn check_list(file: &StageFile, word: &str, source: &Arc<SourceText>) -> Result<()> {
    let is_list = |name: &str| {
        file.params.iter().any(|(param, decl)| param.get_ref() == name && decl.kind == ParamType::List)
    };
    let mut params = placeholders(word).filter(|(kind, name)| *kind == "params" && is_list(name));
    let Some((_, name)) = params.find(|(_, name)| word != format!("{{params.{name}}}")) else {
        return Ok(());
    };
    let message = format!(
        "the argument `{word}` contains the list `params.{name}` and other text, \
         but a list becomes one argument for each element"
    );
    let help =
        format!("pass \"{{params.{name}}}\" as a separate argument, or read the list from {{request}}");
    Err(DeclarationError::new(source, file.command.span(), message, "in this command").with_help(help).into())
}

/// Returns `(inputs, from)` for every `{inputs.from}` of a word.
fn placeholders(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = braced(word).filter_map(|inside| inside.split_once('.'));
    pairs.filter(|(kind, _)| ["inputs", "outputs", "params"].contains(kind))
}
