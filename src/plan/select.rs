//! Selection of stages on the command line.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use glob::Pattern;

use super::graph::Graph;
use super::{Plan, StageInstance};

/// Stages named on the command line. What they need is always taken along.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Up to and with these; all if none are named.
    pub until: Vec<String>,
    /// These and what depends on them.
    pub from: Vec<String>,
    /// Nothing but these.
    pub only: Vec<String>,
}

impl Plan {
    /// The plan of the selected stages and all that they need.
    ///
    /// # Errors
    /// When a stage is named that the plan does not have, or none is left.
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
            let message = format!("pipeline `{}` has no stages", self.request.pipeline);
            return Err(Error::refused(
                Code::Declaration,
                message,
                "a stage is a table in it: [stages.my_stage]",
            ));
        }
        if wanted.is_empty() {
            return Err(Error::refused(
                Code::Conflict,
                "no stage is selected",
                "no stage is both after --from and before --until or the stages named",
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

    /// Positions of the stages meant: by name, all instances of a stage, or those that match a
    /// pattern (`train@v4-*`).
    ///
    /// # Errors
    /// When there is none of a name.
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
                return Err(Error::refused(Code::UnknownName, message, suggest(name, known)));
            }
        }
        Ok(found)
    }

    /// Names of the stages meant, as [`Plan::positions`].
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn names(&self, names: &[String]) -> Result<BTreeSet<String>> {
        Ok(self.positions(names)?.into_iter().map(|position| self.stages[position].name.clone()).collect())
    }
}
