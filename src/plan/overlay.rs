//! Lays dataset, profile and `--set` over a pipeline.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use litemap::LiteMap;
use toml::Spanned;

use crate::declare::{Layer, Origin, SourceUse};
use crate::error::{Error, Result, SourceText, nearest, suggest};

/// A source after all layers.
pub struct SourceSpec {
    /// The pattern, with where it was set.
    pub path: Option<(Spanned<String>, Origin)>,
    /// The rest, from the topmost layer that says it.
    pub rest: SourceUse,
    /// Where the source was first declared.
    pub origin: Origin,
}

/// A stage instance after all layers; parameters are not yet checked.
pub struct StageSpec {
    /// Name of the instance.
    pub name: String,
    /// Name of the stage's folder.
    pub stage: (String, Origin),
    /// Wiring.
    pub inputs: LiteMap<String, (String, Origin)>,
    /// Parameters as written.
    pub params: LiteMap<String, (toml::Value, Origin)>,
}

/// The pipeline with every layer laid over it.
pub struct Spec {
    /// By name.
    pub sources: BTreeMap<String, SourceSpec>,
    /// In the order of the pipeline file.
    pub stages: Vec<StageSpec>,
    positions: HashMap<String, usize>,
}

impl Spec {
    /// Where in [`Spec::stages`] an instance is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

fn at(source: &Arc<SourceText>, span: Range<usize>) -> Origin {
    Origin::File(source.clone(), span)
}

/// Lays `layers` over one another, the first being the pipeline, and `set` over them all.
///
/// # Errors
/// When a layer adjusts a stage that the pipeline does not have, or a `--set` is malformed.
pub fn overlay(layers: Vec<Layer>, set: &[String]) -> Result<Spec> {
    let mut spec = Spec { sources: BTreeMap::new(), stages: Vec::new(), positions: HashMap::new() };
    for (depth, layer) in layers.into_iter().enumerate() {
        lay_sources(&mut spec, &layer);
        lay_stages(&mut spec, layer, depth == 0)?;
    }
    for option in set {
        lay_option(&mut spec, option)?;
    }
    check_sources(&spec)?;
    Ok(spec)
}

fn lay_sources(spec: &mut Spec, layer: &Layer) {
    for (name, used) in &layer.sources {
        let entry = spec.sources.entry(name.get_ref().clone()).or_insert_with(|| SourceSpec {
            path: None,
            rest: SourceUse::default(),
            origin: at(&layer.source, name.span()),
        });
        if let Some(path) = &used.path {
            entry.path = Some((path.clone(), at(&layer.source, path.span())));
        }
        if let Some(otherwise) = &used.otherwise {
            entry.rest.otherwise = Some(otherwise.clone());
            entry.origin = at(&layer.source, otherwise.artifact.span());
        }
        if let Some(obtain) = &used.obtain {
            entry.rest.obtain = Some(obtain.clone());
        }
    }
}

/// A dataset may have sources that this pipeline does not read; a name that is nearly one that the
/// pipeline reads is a slip.
fn check_sources(spec: &Spec) -> Result<()> {
    let read: HashSet<&str> =
        spec.stages.iter().flat_map(|s| s.inputs.values()).map(|(from, _)| from.as_str()).collect();
    for (name, source) in spec.sources.iter().filter(|(name, _)| !read.contains(name.as_str())) {
        let known = read.iter().copied().filter(|from| !from.contains('.'));
        if let Some(near) = nearest(name, known) {
            return Err(source.origin.fault(
                format!("no stage reads the source `{name}`"),
                "declared here",
                format!("did you mean `{near}`?"),
            ));
        }
    }
    Ok(())
}

fn lay_stages(spec: &mut Spec, layer: Layer, may_add: bool) -> Result<()> {
    let mut uses: Vec<_> = layer.stages.into_iter().collect();
    uses.sort_by_key(|(name, _)| name.span().start);
    for (name, used) in uses {
        let origin = at(&layer.source, name.span());
        let text = name.into_inner();
        let position = spec.position(&text);
        let stage = match (position, used.stage) {
            (Some(_), Some(kind)) if !may_add => {
                return Err(at(&layer.source, kind.span()).fault(
                    format!("`{text}` is what the pipeline says it is"),
                    "said anew here",
                    "only the pipeline file may say which stage an instance uses".into(),
                ));
            }
            (Some(position), _) => &mut spec.stages[position],
            (None, kind) if may_add => {
                let stage = match kind {
                    Some(kind) => {
                        let origin = at(&layer.source, kind.span());
                        (kind.into_inner(), origin)
                    }
                    None => (text.clone(), origin),
                };
                let (inputs, params) = (LiteMap::new(), LiteMap::new());
                spec.positions.insert(text.clone(), spec.stages.len());
                spec.stages.push(StageSpec { name: text, stage, inputs, params });
                spec.stages.last_mut().expect("just pushed")
            }
            (None, _) => {
                let known = spec.stages.iter().map(|s| s.name.as_str());
                return Err(origin.fault(
                    format!("the pipeline has no stage `{text}`"),
                    "adjusted here",
                    suggest(&text, known),
                ));
            }
        };
        for (input, from) in used.inputs {
            let origin = at(&layer.source, from.span());
            stage.inputs.insert(input.into_inner(), (from.into_inner(), origin));
        }
        for (param, value) in used.params {
            let origin = at(&layer.source, param.span().start..value.span().end);
            stage.params.insert(param.into_inner(), (value.into_inner(), origin));
        }
    }
    Ok(())
}

fn lay_option(spec: &mut Spec, option: &str) -> Result<()> {
    let parts = option.split_once('=').and_then(|(left, value)| {
        let (stage, param) = left.trim().split_once('.')?;
        Some((stage, param, value.trim()))
    });
    let Some((stage, param, value)) = parts else {
        return Err(Error::refused(
            format!("--set `{option}` is not of the form stage.param=value"),
            "e.g. --set train_encoder.margin=0.2",
        ));
    };
    let Some(position) = spec.position(stage) else {
        return Err(Error::refused(
            format!("--set `{option}`: the pipeline has no stage `{stage}`"),
            suggest(stage, spec.stages.iter().map(|s| s.name.as_str())),
        ));
    };
    // What is no TOML value is meant as text: --set sample_triplets.method=clusters
    let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    spec.stages[position].params.insert(param.to_owned(), (value, Origin::CommandLine(option.to_owned())));
    Ok(())
}
