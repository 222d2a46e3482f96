//! Which stages of a plan a user means.

use std::collections::BTreeSet;

use super::graph::Graph;
use super::{Input, Plan};
use crate::error::{Error, Result, suggest};

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
        if wanted.is_empty() {
            return Err(Error::refused(
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
            if let Input::Artifact { stage, .. } = input {
                *stage = place[*stage];
            }
        }
        Ok(self)
    }

    /// Positions of the stages named.
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn positions(&self, names: &[String]) -> Result<BTreeSet<usize>> {
        let position = |name: &String| {
            self.stages.iter().position(|stage| stage.name == *name).ok_or_else(|| {
                let known = self.stages.iter().map(|stage| stage.name.as_str());
                Error::refused(format!("the pipeline has no stage `{name}`"), suggest(name, known))
            })
        };
        names.iter().map(position).collect()
    }
}
