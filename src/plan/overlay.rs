//! Lays dataset, profile and `--set` over a pipeline.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use litemap::LiteMap;
use toml::Spanned;

use super::foreach::{AT, fill_text, fill_value, gathered, instance_name};
use crate::declare::{Foreach, Layer, Origin, SourceUse, StageUse, Values};
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
    /// Its values, if the stage is fanned out.
    pub values: Values,
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
    positions: HashMap<String, Range<usize>>,
    joins: RefCell<HashMap<(usize, Vec<String>), Join>>,
}

/// Instances of a stage by some of their values.
type Join = HashMap<String, Vec<usize>>;

/// The longest name of an instance: a file is named after it.
const LONGEST_INSTANCE: usize = 200;

/// Which stages are fanned out, and where that is said.
type Fans = HashMap<String, Fan>;

/// Values, where they are said, and by the how manieth layer.
struct Fan {
    foreach: Foreach,
    origin: Origin,
    depth: usize,
}

impl Spec {
    /// Where in [`Spec::stages`] all instances of a stage are, or the one of that name.
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        self.positions.get(name).cloned()
    }

    /// Those instances in `range` that have the same values as `values` wherever both have one.
    pub fn agreeing(&self, range: &Range<usize>, values: &Values) -> Vec<usize> {
        let wanted = |name: &String| values.iter().find(|(known, _)| known == name);
        let named = self.stages[range.start].values.iter().map(|(name, _)| name);
        let shared: Vec<String> = named.filter(|name| wanted(name).is_some()).cloned().collect();
        let label = |values: &Values| {
            let shared = shared.iter().filter_map(|name| values.iter().find(|(known, _)| known == name));
            gathered("", &shared.cloned().collect())
        };
        let mut joins = self.joins.borrow_mut();
        let join = joins.entry((range.start, shared.clone())).or_insert_with(|| {
            let mut join = Join::new();
            for position in range.clone() {
                join.entry(label(&self.stages[position].values)).or_default().push(position);
            }
            join
        });
        join.get(&label(values)).cloned().unwrap_or_default()
    }

    /// Adds the instances of a stage that a pipeline declares.
    fn add(&mut self, name: String, stage: (String, Origin), fan: Option<&Fan>) -> Result<()> {
        let start = self.stages.len();
        let instance = |name: String, values: Values, stage: (String, Origin)| StageSpec {
            name,
            values,
            stage,
            inputs: LiteMap::new(),
            params: LiteMap::new(),
        };
        let Some(Fan { foreach: Foreach(all), origin, .. }) = fan else {
            self.positions.insert(name.clone(), start..start + 1);
            self.stages.push(instance(name, Values::new(), stage));
            return Ok(());
        };
        for values in all {
            let full = instance_name(&name, values);
            let at = self.stages.len();
            let message = if full.len() > LONGEST_INSTANCE {
                format!("the instance `{full}` has more than {LONGEST_INSTANCE} characters")
            } else if self.positions.insert(full.clone(), at..at + 1).is_some() {
                format!("two instances are called `{full}`")
            } else {
                self.stages.push(instance(full, values.clone(), stage.clone()));
                continue;
            };
            return Err(origin.fault(message, "fanned out here", "its name is made of its values".into()));
        }
        self.positions.insert(name, start..self.stages.len());
        Ok(())
    }
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
        Ok(())
    }
}

fn at(source: &Arc<SourceText>, span: Range<usize>) -> Origin {
    Origin::File(source.clone(), span)
}

/// Lays `layers` over one another, the first being the pipeline, and `set` over them all.
///
/// # Errors
/// When a layer adjusts a stage that the pipeline does not have, or a `--set` is malformed.
pub fn overlay(mut layers: Vec<Layer>, set: &[String]) -> Result<Spec> {
    let fans = fans(&mut layers)?;
    let mut spec = Spec {
        sources: BTreeMap::new(),
        stages: Vec::new(),
        positions: HashMap::new(),
        joins: RefCell::default(),
    };
    for (depth, layer) in layers.into_iter().enumerate() {
        lay_sources(&mut spec, &layer);
        lay_stages(&mut spec, layer, &fans, depth)?;
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

/// What the topmost layer says of each stage that is fanned out.
fn fans(layers: &mut [Layer]) -> Result<Fans> {
    let mut fans = Fans::new();
    for (depth, layer) in layers.iter_mut().enumerate() {
        for (name, used) in &mut layer.stages {
            let Some(foreach) = used.foreach.take() else { continue };
            let origin = at(&layer.source, foreach.span());
            if name.get_ref().contains(AT) {
                let message = format!("`{}` is one instance", name.get_ref());
                return Err(origin.fault(message, "fanned out here", "say foreach of the stage".into()));
            }
            fans.insert(name.get_ref().clone(), Fan { foreach: foreach.into_inner(), origin, depth });
        }
    }
    Ok(fans)
}

fn lay_stages(spec: &mut Spec, layer: Layer, fans: &Fans, depth: usize) -> Result<()> {
    let may_add = depth == 0;
    let source = layer.source;
    let mut uses: Vec<_> = layer.stages.into_iter().collect();
    // What is said of one instance is laid over what is said of them all.
    uses.sort_by_key(|(name, _)| (name.get_ref().contains(AT), name.span().start));
    for (name, mut used) in uses {
        let origin = at(&source, name.span());
        let text = name.into_inner();
        let kind = used.stage.take();
        let range = match (spec.range(&text), kind) {
            (Some(_), Some(kind)) => {
                return Err(at(&source, kind.span()).fault(
                    format!("`{text}` is what the pipeline says it is"),
                    "said anew here",
                    "only the pipeline file may say which stage an instance uses".into(),
                ));
            }
            (Some(range), None) => range,
            (None, kind) if may_add && !text.contains(AT) => {
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
                start..spec.stages.len()
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
        let last = range.end - 1;
        for position in range.start..last {
            spec.stages[position].lay(used.clone(), &source)?;
        }
        spec.stages[last].lay(used, &source)?;
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
            format!("--set `{option}` is not of the form stage.param=value"),
            "e.g. --set train_encoder.margin=0.2",
        ));
    };
    let Some(range) = spec.range(stage) else {
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
    for stage in &mut spec.stages[range] {
        let origin = Origin::CommandLine(option.to_owned());
        let value = fill_value(value.clone(), &stage.values, &origin)?;
        stage.params.insert(param.to_owned(), (value, origin));
    }
    Ok(())
}
