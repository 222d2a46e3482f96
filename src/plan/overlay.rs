//! Lays dataset, profile and `--set` over a pipeline.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, SourceText, nearest, suggest};

use super::foreach::{AT, fill_text, fill_value, group};
use super::place::{at, is_pattern, positions};
use super::spec::{Fan, SourceSpec, Spec, StageSpec};
use crate::declare::{Foreach, Layer, Origin, SourceUse, StageUse};

/// Which stages are fanned out, and where that is said.
pub type Fans = BTreeMap<String, Fan>;

/// What is laid over one another, in order, and which stages each adds.
#[derive(Default)]
pub struct Layers {
    /// The pipeline, a dataset's import, the dataset, the profile.
    pub all: Vec<(Layer, Adds)>,
    /// Stages of other pipelines and datasets: what a dataset or a profile says of them is not for this one.
    pub elsewhere: HashSet<String>,
}

/// Which stages a layer adds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Adds {
    /// Those that it names.
    Named,
    /// Those that it says `use` of.
    Used,
    /// None.
    None,
}

impl StageSpec {
    /// Lays what a layer says of this instance over what is there.
    fn lay(&mut self, used: StageUse, source: &Arc<SourceText>) -> Result<()> {
        for (input, from) in used.inputs {
            let origin = at(source, from.span());
            let from = fill_text(from.into_inner(), &self.values, &origin)?;
            self.inputs.insert(input.into_inner(), (from, origin));
        }
        for (param, value) in used.params {
            let origin = at(source, param.span().start..value.span().end);
            let value = fill_value(value.into_inner(), &self.values, &origin)?;
            self.params.insert(param.into_inner(), (value, origin));
        }
        for (resource, value) in used.resources {
            let origin = at(source, resource.span().start..value.span().end);
            let value = fill_value(value.into_inner(), &self.values, &origin)?;
            self.resources.insert(resource.into_inner(), (value, origin));
        }
        Ok(())
    }
}

/// Lays `layers` over one another, and `set` over them all.
///
/// # Errors
/// When a layer adjusts a stage that the pipeline does not have, or a `--set` is malformed.
pub fn overlay(mut layers: Layers, dataset: &str, set: &[String]) -> Result<Spec> {
    let fans = fans(&mut layers.all)?;
    let mut spec = Spec::default();
    for (depth, (mut layer, adds)) in layers.all.into_iter().enumerate() {
        lay_sources(&mut spec, &layer, dataset);
        if adds != Adds::Named {
            // An instance of a stage that is here is not one of elsewhere.
            let elsewhere =
                |name: &str| layers.elsewhere.contains(group(name)) && spec.range(group(name)).is_none();
            layer.stages.retain(|name, used| {
                let name = name.get_ref();
                used.stage.is_some() || spec.range(name).is_some() || !elsewhere(name)
            });
        }
        lay_stages(&mut spec, layer, &fans, (depth, adds))?;
    }
    for option in set {
        lay_option(&mut spec, option)?;
    }
    check_sources(&spec)?;
    Ok(spec)
}

fn lay_sources(spec: &mut Spec, layer: &Layer, dataset: &str) {
    for (name, used) in &layer.sources {
        let entry = spec.sources.entry(name.get_ref().clone()).or_insert_with(|| SourceSpec {
            path: None,
            rest: SourceUse::default(),
            origin: at(&layer.source, name.span()),
        });
        if let Some(path) = &used.path {
            let filled = path.get_ref().replace("{dataset}", dataset);
            let filled = toml::Spanned::new(path.span(), filled);
            entry.path = Some((filled, at(&layer.source, path.span())));
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

/// What each stage is fanned out over.
fn fans(layers: &mut [(Layer, Adds)]) -> Result<Fans> {
    let mut fans = Fans::new();
    for (depth, (layer, _)) in layers.iter_mut().enumerate() {
        for (name, used) in &mut layer.stages {
            let Some(foreach) = used.foreach.take() else { continue };
            let origin = at(&layer.source, foreach.span());
            if name.get_ref().contains(AT) {
                let message = format!("`{}` is one instance", name.get_ref());
                return Err(origin.fault(message, "fanned out here", "say foreach of the stage".into()));
            }
            let mut foreach = foreach.into_inner();
            if let Some(below) = fans.remove(name.get_ref()) {
                let over = foreach.over(below.foreach);
                foreach = over.map_err(|message| origin.fault(message, "fanned out here", String::new()))?;
            }
            fans.insert(name.get_ref().clone(), Fan { foreach, origin, depth });
        }
    }
    let alike: Vec<String> =
        fans.iter().filter(|(_, fan)| fan.foreach.like.is_some()).map(|(name, _)| name.clone()).collect();
    for name in alike {
        let (foreach, depth) = followed(&fans, &name)?;
        fans.entry(name).and_modify(|fan| (fan.foreach, fan.depth) = (foreach, depth));
    }
    Ok(fans)
}

/// What a stage is fanned out over that says it is as another, and the topmost layer that says of it.
fn followed(fans: &Fans, name: &str) -> Result<(Foreach, usize)> {
    let said = &fans[name].origin;
    let (mut at, mut depth) = (&fans[name], fans[name].depth);
    for _ in 0..fans.len() {
        let Some(like) = &at.foreach.like else { return Ok((at.foreach.clone(), depth)) };
        let Some(next) = fans.get(like) else {
            let message = format!("`{name}` is to be fanned out as `{like}`, which is not fanned out");
            let known = fans.keys().map(String::as_str).filter(|known| *known != name);
            return Err(said.fault(message, "said here", suggest(like, known)));
        };
        (at, depth) = (next, depth.max(next.depth));
    }
    Err(said.fault(
        format!("`{name}` is fanned out as itself"),
        "said here",
        "say the values of one of them".into(),
    ))
}

fn lay_stages(spec: &mut Spec, layer: Layer, fans: &Fans, (depth, adds): (usize, Adds)) -> Result<()> {
    let source = layer.source;
    let mut uses: Vec<_> = layer.stages.into_iter().collect();
    // What is said of one instance is laid over what is said of some, and that over what is said of them all.
    let narrow = |name: &str| (name.contains(AT), !is_pattern(name));
    uses.sort_by_key(|(name, _)| (narrow(name.get_ref()), name.span().start));
    for (name, mut used) in uses {
        let origin = at(&source, name.span());
        let text = name.into_inner();
        let kind = used.stage.take();
        let positions = match (positions(spec, &text), kind) {
            (Some(_), Some(kind)) => {
                return Err(at(&source, kind.span()).fault(
                    format!("`{text}` is what the pipeline says it is"),
                    "said anew here",
                    "only the file that adds an instance may say which stage it uses".into(),
                ));
            }
            (Some(positions), None) => positions,
            (None, kind)
                if (adds == Adds::Named || (adds == Adds::Used && kind.is_some())) && !text.contains(AT) =>
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
            // An instance that a layer above has left out.
            (None, None) if text.split_once(AT).is_some_and(|(stage, _)| above(fans, stage, depth)) => {
                continue;
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
        for position in positions {
            spec.stages[position].lay(used.clone(), &source)?;
        }
    }
    Ok(())
}

/// Whether a layer above this one says what a stage is fanned out over.
fn above(fans: &Fans, stage: &str, depth: usize) -> bool {
    fans.get(stage).is_some_and(|fan| fan.depth > depth)
}

fn lay_option(spec: &mut Spec, option: &str) -> Result<()> {
    let parts = option.split_once('=').and_then(|(left, value)| {
        let (stage, param) = left.trim().rsplit_once('.')?;
        Some((stage, param, value.trim()))
    });
    let Some((stage, param, value)) = parts else {
        return Err(Error::refused(
            Code::InvalidValue,
            format!("--set `{option}` is not of the form stage.param=value"),
            "e.g. --set train.rate=0.2",
        ));
    };
    let Some(range) = spec.range(stage) else {
        return Err(Error::refused(
            Code::UnknownName,
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
    for stage in &mut spec.stages[range] {
        let origin = Origin::CommandLine(option.to_owned());
        let value = fill_value(value.clone(), &stage.values, &origin)?;
        stage.params.insert(param.to_owned(), (value, origin));
    }
    Ok(())
}
