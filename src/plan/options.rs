//! `--set` options of the command line.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use toml::Value;

use super::fill::{Fill, Vars};
use super::spec::Spec;
use crate::declare::Origin;

/// Prefix of a variable in `--set vars.NAME=value`, in the place of a stage's name.
pub(super) const VARS: &str = "vars";

/// A parsed `--set stage.param=value` or `--set vars.name=value`.
pub(super) struct SetOption<'a> {
    /// As typed.
    pub text: &'a str,
    /// Name of a stage or of an instance, or [`VARS`].
    pub stage: &'a str,
    /// Name of the parameter or the variable.
    pub param: &'a str,
    /// Value as TOML; a text if it is not valid TOML.
    pub value: Value,
}

impl<'a> SetOption<'a> {
    /// Parses an option.
    ///
    /// # Errors
    /// Returns an error if the option is not of the form `stage.param=value`.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let parts = text.split_once('=').and_then(|(left, value)| {
            let (stage, param) = left.trim().rsplit_once('.')?;
            Some((stage, param, value.trim()))
        });
        let Some((stage, param, value)) = parts else {
            return Err(Error::user_error(
                Code::InvalidValue,
                format!("--set `{text}` is not of the form stage.param=value"),
                "write e.g. --set train.rate=0.2",
            ));
        };
        // Texts are also accepted without the quotes of TOML: --set sample_triplets.method=clusters.
        let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.to_owned()));
        Ok(Self { text, stage, param, value })
    }

    /// The option as the place that sets a value.
    pub(super) fn origin(&self) -> Origin {
        Origin::CommandLine(self.text.to_owned())
    }
}

/// Overrides parameters of stages; variables are already in `vars`.
///
/// # Errors
/// Returns an error if the pipeline does not have the stage of an option.
pub(super) fn lay_options(spec: &mut Spec, options: &[SetOption], vars: &Vars) -> Result<()> {
    for option in options.iter().filter(|option| option.stage != VARS) {
        let Some(range) = spec.range(option.stage) else {
            return Err(Error::user_error(
                Code::UnknownName,
                format!("--set `{}`: the pipeline has no stage `{}`", option.text, option.stage),
                suggest(option.stage, spec.stages.iter().map(|s| s.name.as_str())),
            ));
        };
        for stage in &mut spec.stages[range] {
            let fill = Fill { values: &stage.values, vars };
            let filled = fill.value(option.value.clone(), option.origin())?;
            stage.params.insert(option.param.to_owned(), filled);
        }
    }
    Ok(())
}
