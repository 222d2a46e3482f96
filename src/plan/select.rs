//! Selection of stages on the command line.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list, suggest};
use glob::Pattern;

use super::graph::Graph;
use super::{Plan, StageInstance};

/// Stages named on the command line. The stages that they need are always included.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Stages to end with; all stages if empty.
    pub until: Vec<String>,
    /// Stages to start from: these and all that depend on them. No limit if empty.
    pub from: Vec<String>,
    /// Only these stages. No limit if empty.
    pub only: Vec<String>,
}

impl Selection {
    /// Returns true if no stage is named, so that all are selected.
    pub fn is_empty(&self) -> bool {
        self.until.is_empty() && self.from.is_empty() && self.only.is_empty()
    }
}

impl Plan {
    /// Reduces the plan to the selected stages and all that they need.
    ///
    /// # Errors
    /// Returns an error if the plan does not have a named stage, or no stage is left.
    pub fn select(mut self, selection: &Selection) -> Result<Self> {
        let upstream = self.stages.iter().enumerate();
        let edges = upstream.flat_map(|(to, stage)| stage.upstream().into_iter().map(move |from| (from, to)));
        let graph = Graph::new(self.stages.len(), edges);
        let mut wanted: BTreeSet<usize> = (0..self.stages.len()).collect();
        if !selection.until.is_empty() {
            wanted = graph.with_ancestors(self.positions(&selection.until)?);
        }
        if !selection.from.is_empty() {
            let after = graph.with_descendants(self.positions(&selection.from)?);
            wanted.retain(|position| after.contains(position));
        }
        if !selection.only.is_empty() {
            let only = self.positions(&selection.only)?;
            wanted.retain(|position| only.contains(position));
        }
        if self.stages.is_empty() {
            let message = format!("pipeline `{}` has no stages", self.request.target.pipeline);
            return Err(Error::user_error(
                Code::Declaration,
                message,
                "add a stage as a table: [stages.my_stage]",
            ));
        }
        if wanted.is_empty() {
            return Err(Error::user_error(
                Code::Conflict,
                "no stage is selected",
                "select stages that are both after --from and before the stages to end with",
            ));
        }
        let kept: Vec<usize> = graph.with_ancestors(wanted).into_iter().collect();
        let mut place = vec![usize::MAX; self.stages.len()];
        for (new, old) in kept.iter().enumerate() {
            place[*old] = new;
        }
        let mut old = 0;
        self.stages.retain(|_| {
            old += 1;
            place[old - 1] != usize::MAX
        });
        for input in self.stages.iter_mut().flat_map(|stage| stage.inputs.iter_mut().map(|(_, input)| input))
        {
            input.producers_mut().iter_mut().for_each(|stage| *stage = place[*stage]);
        }
        Ok(self)
    }

    /// Returns the positions of the instances with these names. A name is that of an instance, that of a
    /// stage for all its instances, or a pattern (`train@v4-*`).
    ///
    /// # Errors
    /// Returns an error if a name matches no instance.
    pub fn positions(&self, names: &[String]) -> Result<BTreeSet<usize>> {
        let mut found = BTreeSet::new();
        for name in names {
            let pattern = Pattern::new(name).ok().filter(|_| name.contains(['*', '?', '[']));
            let meant = |stage: &StageInstance| {
                stage.name == *name
                    || stage.group() == name
                    || pattern.as_ref().is_some_and(|pattern| pattern.matches(&stage.name))
            };
            let before = found.len();
            found.extend((0..self.stages.len()).filter(|position| meant(&self.stages[*position])));
            if found.len() == before && !self.stages.iter().any(meant) {
                let known = self.stages.iter().map(|stage| stage.name.as_str());
                let message = format!("the pipeline has no stage `{name}`");
                let help = match &pattern {
                    Some(_) => format!("use a pattern that matches one of: {}", list(known)),
                    None => suggest(name, known),
                };
                return Err(Error::user_error(Code::UnknownName, message, help));
            }
        }
        Ok(found)
    }

    /// Returns the position of the one instance with this name, which may be that of a stage with one instance.
    ///
    /// # Errors
    /// Returns an error if the name matches no instance or several.
    pub fn position(&self, name: &str) -> Result<usize> {
        let found: Vec<usize> = self.positions(&[name.to_owned()])?.into_iter().collect();
        if let [position] = found[..] {
            return Ok(position);
        }
        let names = found.iter().map(|position| self.stages[*position].name.as_str());
        let message = format!("`{name}` matches {} stage instances", found.len());
        Err(Error::user_error(Code::InvalidValue, message, format!("name one instance: {}", list(names))))
    }

    /// Returns the names of the instances that [`Plan::positions`] finds.
    ///
    /// # Errors
    /// Returns an error if a name matches no instance.
    pub fn names(&self, names: &[String]) -> Result<BTreeSet<String>> {
        Ok(self.positions(names)?.into_iter().map(|position| self.stages[position].name.clone()).collect())
    }
}
