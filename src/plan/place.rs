//! Places in files, and positions of stage instances.

use std::ops::Range;
use std::sync::Arc;

use callsheet_worker::error::SourceText;
use glob::Pattern;

use super::instance::{AT, group};
use super::spec::Spec;
use crate::declare::Origin;

/// Returns a place in a file.
pub(super) fn at(source: &Arc<SourceText>, span: Range<usize>) -> Origin {
    Origin::File(source.clone(), span)
}

/// Returns the positions of the instances with `name`, which is a stage, an instance or a pattern; `None` if
/// there are none.
pub(super) fn positions(spec: &Spec, name: &str) -> Option<Vec<usize>> {
    if !is_pattern(name) {
        return spec.range(name).map(Iterator::collect);
    }
    let pattern = Pattern::new(name).ok()?;
    let instances = spec.range(group(name))?;
    let found: Vec<usize> = instances.filter(|at| pattern.matches(&spec.stages[*at].name)).collect();
    (!found.is_empty()).then_some(found)
}

/// Returns true if a name is a pattern for instances of a stage: `train@v4-*`.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(AT) && name.contains(['*', '?', '['])
}
