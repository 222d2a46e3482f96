//! Values over which each stage is fanned out, after all layers.

use std::collections::BTreeMap;

use callsheet_worker::error::{Result, suggest};

use super::fill::Vars;
use super::instance::{AT, group};
use super::layers::LayerPolicy;
use super::place::at;
use super::spec::Fan;
use crate::declare::{Foreach, Layer};

/// Values over which each stage is fanned out, by its name.
pub(super) type Fans = BTreeMap<String, Fan>;

/// Returns true if a layer above `depth` sets the values over which a stage is fanned out.
pub(super) fn above(fans: &Fans, stage: &str, depth: usize) -> bool {
    fans.get(stage).is_some_and(|fan| fan.depth > depth)
}

/// Reads the values over which each stage is fanned out.
///
/// # Errors
/// Returns an error if an instance is fanned out, or a value has the name of a variable. Also returns an
/// error if a stage copies the values of itself or of a stage that is not fanned out.
pub(super) fn fans(layers: &mut [(Layer, LayerPolicy)], vars: &Vars) -> Result<Fans> {
    let mut fans = Fans::new();
    for (depth, (layer, _)) in layers.iter_mut().enumerate() {
        for (name, used) in &mut layer.stages {
            let Some(foreach) = used.foreach.take() else { continue };
            let origin = at(&layer.source, foreach.span());
            if name.get_ref().contains(AT) {
                let (name, stage) = (name.get_ref(), group(name.get_ref()));
                return Err(origin.declaration_error(
                    format!("`{name}` names instances of `{stage}`, so it cannot have `foreach`"),
                    "fanned out here",
                    format!("set `foreach` under [stages.{stage}]"),
                ));
            }
            let mut foreach = foreach.into_inner();
            if let Some(below) = fans.remove(name.get_ref()) {
                let over = foreach.over(below.foreach);
                foreach = over
                    .map_err(|message| origin.declaration_error(message, "fanned out here", String::new()))?;
            }
            let named = foreach.all.first().into_iter().flatten().map(|(name, _)| name);
            if let Some(name) = named.into_iter().find(|name| vars.contains_key(*name)) {
                let message = format!("a value of this `foreach` and a variable both have the name `{name}`");
                return Err(origin.declaration_error(
                    message,
                    "fanned out here",
                    "rename the value or the variable".into(),
                ));
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

/// Resolves `foreach = "stage"`: the values of that stage, and the topmost layer that sets them.
fn followed(fans: &Fans, name: &str) -> Result<(Foreach, usize)> {
    let said = &fans[name].origin;
    let (mut at, mut depth) = (&fans[name], fans[name].depth);
    for _ in 0..fans.len() {
        let Some(like) = &at.foreach.like else { return Ok((at.foreach.clone(), depth)) };
        let Some(next) = fans.get(like) else {
            let message = format!("`foreach` of `{name}` names the stage `{like}`, which has no `foreach`");
            let known = fans.keys().map(String::as_str).filter(|known| *known != name);
            return Err(said.declaration_error(message, "declared here", suggest(like, known)));
        };
        (at, depth) = (next, depth.max(next.depth));
    }
    Err(said.declaration_error(
        format!("the stages that `foreach` of `{name}` refers to form a cycle"),
        "declared here",
        "list the values in one `foreach` of the cycle, e.g. foreach.seed = [0, 1]".into(),
    ))
}
