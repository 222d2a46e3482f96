//! Variables of a pipeline after all layers.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

use super::fill::Vars;
use super::layers::{Layers, declared_vars};
use super::options::{SetOption, VARS};
use super::place::at;
use crate::declare::var_problem;

/// Reads the variables of all layers and `--set`; the topmost layer that sets a variable takes precedence.
///
/// # Errors
/// Returns an error if a dataset, a profile or `--set` sets a variable that the pipeline does not declare.
pub(super) fn vars(layers: &Layers, options: &[SetOption]) -> Result<Vars> {
    let declared = layers.all.iter().flat_map(|(layer, adds)| declared_vars(layer, *adds));
    let declared: BTreeSet<&str> = declared.collect();
    let nearest = |name: &str| suggest(name, declared.iter().copied());
    let mut vars = Vars::new();
    for (layer, _) in &layers.all {
        for (name, value) in &layer.vars {
            let text = name.get_ref();
            let origin = at(&layer.source, name.span().start..value.span().end);
            if declared.contains(text.as_str()) {
                vars.insert(text.clone(), (value.get_ref().clone(), origin));
            } else if !layers.elsewhere.vars.contains(text) {
                let message = format!("the pipeline declares no variable `{text}`");
                return Err(origin.unknown_name(message, "set here", nearest(text)));
            }
        }
    }
    for option in options.iter().filter(|option| option.stage == VARS) {
        if !declared.contains(option.param) {
            let message =
                format!("--set `{}`: the pipeline declares no variable `{}`", option.text, option.param);
            return Err(Error::user_error(Code::UnknownName, message, nearest(option.param)));
        }
        if let Some((problem, help)) = var_problem(&option.value) {
            let message = format!("--set `{}`: {problem}", option.text);
            return Err(Error::user_error(Code::InvalidValue, message, help));
        }
        vars.insert(option.param.to_owned(), (option.value.clone(), option.origin()));
    }
    Ok(vars)
}
