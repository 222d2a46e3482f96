//! A pipeline after all layers: sources and stage instances by name, not yet wired.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use callsheet_worker::error::Result;
use litemap::LiteMap;
use toml::Spanned;

use super::foreach::gathered;
use super::instance::instance_name;
use crate::declare::{Foreach, Origin, SourceUse, Values};

/// A source after all layers.
pub(super) struct SourceSpec {
    /// Pattern of the files, with the place that sets it.
    pub path: Option<(Spanned<String>, Origin)>,
    /// Other keys, each from the topmost layer that sets it.
    pub rest: SourceUse,
    /// Place of the topmost stand-in if there is one, otherwise of the first declaration.
    pub origin: Origin,
}

/// A stage instance while layers are laid over one another. Nothing is checked yet, and only the resolver
/// uses it.
pub(super) struct InstanceDraft {
    /// Name of the instance.
    pub name: String,
    /// Values of `foreach`; empty if the stage is not fanned out.
    pub values: Values,
    /// Name of the stage's folder, with the place that sets it.
    pub stage: (String, Origin),
    /// Source or artifact that each input reads, with the place that sets it.
    pub inputs: LiteMap<String, (String, Origin)>,
    /// Values of parameters, not checked yet.
    pub params: LiteMap<String, (toml::Value, Origin)>,
    /// Values of resources, not checked yet.
    pub resources: LiteMap<String, (toml::Value, Origin)>,
}

/// A pipeline after all layers.
#[derive(Default)]
pub(super) struct Spec {
    /// Sources by name.
    pub sources: BTreeMap<String, SourceSpec>,
    /// Stage instances in the order of the pipeline file.
    pub stages: Vec<InstanceDraft>,
    positions: HashMap<String, Range<usize>>,
    joins: RefCell<HashMap<(usize, Vec<String>), Join>>,
}

/// Positions of instances of a stage by some of their values.
type Join = HashMap<String, Vec<usize>>;

/// Values over which a stage is fanned out.
pub(super) struct Fan {
    /// The values.
    pub foreach: Foreach,
    /// Place that sets the values.
    pub origin: Origin,
    /// Position of the layer that sets the values, counted from the bottom.
    pub depth: usize,
}

impl Spec {
    /// Returns the positions in [`Spec::stages`] of all instances of a stage, or of the instance with that
    /// name.
    pub(super) fn range(&self, name: &str) -> Option<Range<usize>> {
        self.positions.get(name).cloned()
    }

    /// Returns the instances in `range` whose values equal `values` for every name that both have.
    pub(super) fn agreeing(&self, range: &Range<usize>, values: &Values) -> Vec<usize> {
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
    ///
    /// # Errors
    /// Returns an error if two instances would have one name.
    pub(super) fn add(&mut self, name: String, stage: (String, Origin), fan: Option<&Fan>) -> Result<()> {
        let start = self.stages.len();
        let instance = |name: String, values: Values, stage: (String, Origin)| InstanceDraft {
            name,
            values,
            stage,
            inputs: LiteMap::new(),
            params: LiteMap::new(),
            resources: LiteMap::new(),
        };
        let Some(Fan { foreach: Foreach { all, .. }, origin, .. }) = fan else {
            self.positions.insert(name.clone(), start..start + 1);
            self.stages.push(instance(name, Values::new(), stage));
            return Ok(());
        };
        for values in all {
            let full = instance_name(&name, values);
            let at = self.stages.len();
            if let Some(other) = self.positions.insert(full.clone(), at..at + 1) {
                let [one, other] =
                    [&self.stages[other.start].values, values].map(|values| gathered("", values));
                let message = format!("two instances have the name `{full}`: {one} and {other}");
                let help = "use different values in `foreach`, because they form the names of instances";
                return Err(origin.declaration_error(message, "fanned out here", help.into()));
            }
            self.stages.push(instance(full, values.clone(), stage.clone()));
        }
        self.positions.insert(name, start..self.stages.len());
        Ok(())
    }
}
