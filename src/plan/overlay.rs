//! Lays dataset, profile and `--set` over a pipeline.

use std::collections::HashSet;
use std::sync::Arc;

use callsheet_worker::error::{Result, SourceText, list, nearest, suggest};

use super::fans::{Fans, above, fans};
use super::fill::{Fill, Vars};
use super::instance::{AT, group};
use super::layers::{LayerPolicy, Layers};
use super::options::{SetOption, lay_options};
use super::place::{at, is_pattern, positions};
use super::source::DATASET;
use super::spec::{InstanceDraft, SourceSpec, Spec};
use super::vars::vars;
use crate::declare::{Layer, Origin, SourceUse, StageUse, braced, is_name, value_text};

impl InstanceDraft {
    /// Overrides inputs, parameters and resources of this instance by those of a layer.
    fn lay(&mut self, used: StageUse, source: &Arc<SourceText>, vars: &Vars) -> Result<()> {
        let fill = Fill { values: &self.values, vars };
        for (input, from) in used.inputs {
            let origin = at(source, from.span());
            let from = fill.input(from.into_inner(), &origin)?;
            self.inputs.insert(input.into_inner(), (from, origin));
        }
        for (param, value) in used.params {
            let origin = at(source, param.span().start..value.span().end);
            self.params.insert(param.into_inner(), fill.value(value.into_inner(), origin)?);
        }
        for (resource, value) in used.resources {
            let origin = at(source, resource.span().start..value.span().end);
            self.resources.insert(resource.into_inner(), fill.value(value.into_inner(), origin)?);
        }
        Ok(())
    }
}

/// Lays `layers` over one another, and `set` over all of them.
///
/// # Errors
/// Returns an error if a layer adjusts a stage or a variable that the pipeline does not have, or a `--set` is
/// malformed.
pub(super) fn overlay(mut layers: Layers, dataset: &str, set: &[String]) -> Result<Spec> {
    let options: Vec<SetOption> = set.iter().map(|text| SetOption::parse(text)).collect::<Result<_>>()?;
    let vars = vars(&layers, &options)?;
    let fans = fans(&mut layers.all, &vars)?;
    let mut spec = Spec::default();
    for (depth, (mut layer, adds)) in layers.all.into_iter().enumerate() {
        lay_sources(&mut spec, &layer, dataset, &vars)?;
        if adds != LayerPolicy::Named {
            // If this pipeline has the stage, an unknown instance of it is an error, not a name of another
            // pipeline.
            let elsewhere = |name: &str| {
                layers.elsewhere.stages.contains(group(name)) && spec.range(group(name)).is_none()
            };
            layer.stages.retain(|name, used| {
                let name = name.get_ref();
                used.stage.is_some() || spec.range(name).is_some() || !elsewhere(name)
            });
        }
        lay_stages(&mut spec, layer, (&fans, &vars), (depth, adds))?;
    }
    lay_options(&mut spec, &options, &vars)?;
    check_sources(&spec)?;
    Ok(spec)
}

fn lay_sources(spec: &mut Spec, layer: &Layer, dataset: &str, vars: &Vars) -> Result<()> {
    for (name, used) in &layer.sources {
        let entry = spec.sources.entry(name.get_ref().clone()).or_insert_with(|| SourceSpec {
            path: None,
            rest: SourceUse::default(),
            origin: at(&layer.source, name.span()),
        });
        if let Some(path) = &used.path {
            let filled = filled_path(path.get_ref(), dataset, vars, &at(&layer.source, path.span()))?;
            let filled = toml::Spanned::new(path.span(), filled);
            entry.path = Some((filled, at(&layer.source, path.span())));
        }
        if let Some(fallback) = &used.fallback {
            entry.rest.fallback = Some(fallback.clone());
            entry.origin = at(&layer.source, fallback.artifact.span());
        }
        if let Some(columns) = &used.columns {
            entry.rest.columns = Some(columns.clone());
        }
        if let Some(hint) = &used.hint {
            entry.rest.hint = Some(hint.clone());
        }
    }
    Ok(())
}

/// Fills the dataset's name and variables into a path. Without a dataset, `{dataset}` stays. Braces with a comma contain
/// alternatives of the pattern.
///
/// # Errors
/// Returns an error if braces contain a name that is neither `dataset` nor a variable.
fn filled_path(path: &str, dataset: &str, vars: &Vars, origin: &Origin) -> Result<String> {
    let unknown = |name: &&str| is_name(name) && *name != "dataset" && !vars.contains_key(*name);
    if let Some(name) = braced(path).find(unknown) {
        let known = vars.keys().map(String::as_str).chain(["dataset"]);
        let message = format!("`{{{name}}}` is neither `{{dataset}}` nor a variable");
        return Err(origin.declaration_error(message, "in this path", suggest(name, known)));
    }
    let filled = vars.iter().fold(path.to_owned(), |path, (name, (value, _))| {
        path.replace(&format!("{{{name}}}"), &value_text(value))
    });
    Ok(if dataset.is_empty() { filled } else { filled.replace(DATASET, dataset) })
}

/// Rejects an unread source whose name is similar to that of a source that the pipeline reads, because it is
/// probably a typing error. Other unread sources are valid: a dataset may have sources for other pipelines.
fn check_sources(spec: &Spec) -> Result<()> {
    let read: HashSet<&str> =
        spec.stages.iter().flat_map(|s| s.inputs.values()).map(|(from, _)| from.as_str()).collect();
    for (name, source) in spec.sources.iter().filter(|(name, _)| !read.contains(name.as_str())) {
        let known = read.iter().copied().filter(|from| !from.contains('.'));
        // If the similar name is not a source, the wiring reports it.
        if let Some(near) = nearest(name, known).filter(|near| spec.sources.contains_key(*near)) {
            return Err(source.origin.declaration_error(
                format!("no stage reads the source `{name}`"),
                "declared here",
                format!("did you mean `{near}`?"),
            ));
        }
    }
    Ok(())
}

fn lay_stages(
    spec: &mut Spec,
    layer: Layer,
    (fans, vars): (&Fans, &Vars),
    (depth, adds): (usize, LayerPolicy),
) -> Result<()> {
    let source = layer.source;
    let mut uses: Vec<_> = layer.stages.into_iter().collect();
    // Values for one instance take precedence over values for a pattern, and these over values for all
    // instances.
    let narrow = |name: &str| (name.contains(AT), !is_pattern(name));
    uses.sort_by_key(|(name, _)| (narrow(name.get_ref()), name.span().start));
    for (name, mut used) in uses {
        let origin = at(&source, name.span());
        let text = name.into_inner();
        let kind = used.stage.take();
        let positions = match (positions(spec, &text), kind) {
            (Some(_), Some(kind)) => {
                return Err(at(&source, kind.span()).declaration_error(
                    format!("`use` cannot change the stage of `{text}`"),
                    "set here",
                    format!("remove `use`: only the file that first declares `{}` can set it", group(&text)),
                ));
            }
            (Some(positions), None) => positions,
            (None, kind)
                if (adds == LayerPolicy::Named || (adds == LayerPolicy::Used && kind.is_some()))
                    && !text.contains(AT) =>
            {
                let stage = match kind {
                    Some(kind) => {
                        let origin = at(&source, kind.span());
                        (kind.into_inner(), origin)
                    }
                    None => (text.clone(), origin),
                };
                let start = spec.stages.len();
                let fan = fans.get(&text);
                spec.add(text, stage, fan)?;
                (start..spec.stages.len()).collect()
            }
            // A layer above omits this instance.
            (None, None) if text.split_once(AT).is_some_and(|(stage, _)| above(fans, stage, depth)) => {
                continue;
            }
            (None, _) => {
                let known = spec.stages.iter().map(|s| s.name.as_str());
                let help = match is_pattern(&text) {
                    true => format!("use a pattern that matches one of: {}", list(known)),
                    false => suggest(&text, known),
                };
                let message = format!("the pipeline has no stage `{text}`");
                return Err(origin.declaration_error(message, "set here", help));
            }
        };
        for position in positions {
            spec.stages[position].lay(used.clone(), &source, vars)?;
        }
    }
    Ok(())
}
