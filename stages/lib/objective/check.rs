//! Reading an objective as it is written, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::suggest;
use callsheet_worker::refusal;
use serde::Deserialize;

use super::term::Kind;
use super::{Decay, Family, GanMean, Network, Objective, Optimizer, Output, Start, Term};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "summary")]
    _summary: String,
    #[serde(default)]
    networks: Family,
    encoder: Start,
    #[serde(default)]
    variational: bool,
    #[serde(default)]
    gan_mean: GanMean,
    #[serde(default)]
    decay: Decay,
    #[serde(default)]
    second_discriminator: BTreeSet<Output>,
    optimizers: BTreeMap<String, WrittenOptimizer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOptimizer {
    updates: BTreeSet<Network>,
    #[serde(default = "learning_rate")]
    learning_rate: f64,
    #[serde(default = "betas")]
    betas: [f64; 2],
    terms: BTreeMap<String, f64>,
}

/// StEP's.
fn learning_rate() -> f64 {
    0.001
}

/// StEP's.
fn betas() -> [f64; 2] {
    [0.0, 0.99]
}

/// Reads an objective, and leaves out what changes nothing: terms without weight and, with
/// `freeze_encoder`, what would only train the encoder. Objectives that then train alike are equal.
///
/// # Errors
/// When the file is malformed, names an unknown term, trains nothing, or asks for what cannot be; the
/// message names the file.
pub(crate) fn read(path: &Path, freeze_encoder: bool) -> Result<Objective> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let written: Written = toml::from_str(&text).map_err(|error| {
        let help = "see the other objectives of that folder, and the documentation of read_objective";
        refusal(format!("{} is no objective: {}", path.display(), error.to_string().trim_end()), help)
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut objective = resolved(&name, written)?;
    check(&name, &objective)?;
    if freeze_encoder {
        if objective.encoder == Start::Scratch {
            return Err(wrong(
                &name,
                "an encoder that starts from scratch cannot be frozen",
                "say encoder = \"pretrained\", or freeze_encoder = false",
            ));
        }
        for optimizer in objective.optimizers.values_mut() {
            optimizer.updates.remove(&Network::Encoder);
            let Optimizer { updates, terms, .. } = optimizer;
            terms.retain(|term, _| updates.iter().any(|network| term.reaches(*network)));
        }
        objective.optimizers.retain(|_, optimizer| !optimizer.updates.is_empty());
    }
    Ok(objective)
}

fn resolved(name: &str, written: Written) -> Result<Objective> {
    let known = || Term::ALL.into_iter().map(Term::name);
    let mut optimizers = BTreeMap::new();
    for (of, written) in written.optimizers {
        let mut terms = BTreeMap::new();
        for (term, weight) in written.terms {
            let Some(known) = Term::ALL.into_iter().find(|known| known.name() == term) else {
                return Err(wrong(
                    name,
                    format!("optimizers.{of} has no term `{term}`"),
                    suggest(&term, known()),
                ));
            };
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(wrong(
                    name,
                    format!("optimizers.{of}: {term} has the weight {weight}"),
                    "a weight is a number of at least 0",
                ));
            }
            if weight > 0.0 {
                terms.insert(known, weight);
            }
        }
        let WrittenOptimizer { updates, learning_rate, betas, .. } = written;
        optimizers.insert(of, Optimizer { updates, learning_rate, betas, terms });
    }
    let judged = |output: &Output| {
        optimizers.values().any(|o: &Optimizer| o.terms.keys().any(|term| term.output() == Some(*output)))
    };
    Ok(Objective {
        second_discriminator: written.second_discriminator.into_iter().filter(judged).collect(),
        networks: written.networks,
        encoder: written.encoder,
        variational: written.variational,
        gan_mean: written.gan_mean,
        decay: written.decay,
        optimizers,
    })
}

fn check(name: &str, objective: &Objective) -> Result<()> {
    if !objective.trains(Network::Generator) {
        return Err(wrong(
            name,
            "no optimizer updates the generator",
            "say updates = [\"generator\"] in one",
        ));
    }
    if objective.encoder == Start::Scratch && !objective.trains(Network::Encoder) {
        return Err(wrong(
            name,
            "the encoder starts from scratch, and no optimizer updates it",
            "say encoder = \"pretrained\", or updates = [\"encoder\", ..] in one",
        ));
    }
    for (of, optimizer) in &objective.optimizers {
        check_optimizer(name, of, optimizer, objective)?;
    }
    Ok(())
}

fn check_optimizer(name: &str, of: &str, optimizer: &Optimizer, objective: &Objective) -> Result<()> {
    let Optimizer { updates, learning_rate, betas, terms } = optimizer;
    let of = format!("optimizers.{of}");
    if updates.is_empty() || terms.is_empty() {
        let missing = if updates.is_empty() { "updates no network" } else { "has no term of any weight" };
        return Err(wrong(
            name,
            format!("{of} {missing}: it trains nothing"),
            "leave it out, or give it some",
        ));
    }
    if !(learning_rate.is_finite() && *learning_rate > 0.0) {
        return Err(wrong(name, format!("{of}: learning_rate = {learning_rate}"), "a number above 0"));
    }
    if let Some(beta) = betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
        return Err(wrong(name, format!("{of}: {beta} is among betas"), "numbers from 0 to below 1"));
    }
    let judges = [Network::Discriminator, Network::SecondDiscriminator];
    if updates.len() > 1 && updates.iter().any(|network| judges.contains(network)) {
        return Err(wrong(
            name,
            format!("{of} updates a discriminator with other networks, which minimise other terms"),
            "give each discriminator an optimizer of its own",
        ));
    }
    for term in terms.keys() {
        let shown = term.name();
        if !updates.iter().any(|network| term.reaches(*network)) {
            return Err(wrong(
                name,
                format!("{of} updates nothing that {shown} depends on"),
                format!("leave {shown} out, or add a network to its updates"),
            ));
        }
        let Some(output) = term.output() else { continue };
        let judge = objective.judge(output);
        if term.kind() == Kind::Fake && !updates.contains(&judge) {
            return Err(wrong(
                name,
                format!("{of}: {shown} is of an output that the other discriminator judges"),
                "second_discriminator lists what the second one judges, the first judges the others",
            ));
        }
        if term.kind() == Kind::Gan && !learns(objective, judge, output) {
            return Err(wrong(
                name,
                format!("{of}: {shown} asks a discriminator that does not learn to judge it"),
                "add an optimizer that updates it, with real images and the fake of the same output among its terms",
            ));
        }
    }
    let unreached = updates.iter().find(|network| !terms.keys().any(|term| term.reaches(**network)));
    match unreached {
        Some(network) => Err(wrong(
            name,
            format!("{of} updates the {}, and none of its terms depends on it", network.name()),
            "leave the network out, or add a term",
        )),
        None => Ok(()),
    }
}

/// Returns true if a discriminator learns to tell an output from real images.
fn learns(objective: &Objective, judge: Network, output: Output) -> bool {
    let of_judge = || objective.optimizers.values().filter(|o| o.updates.contains(&judge));
    let any = |wanted: &dyn Fn(&Term) -> bool| of_judge().any(|optimizer| optimizer.terms.keys().any(wanted));
    any(&|term| term.kind() == Kind::Real)
        && any(&|term| term.kind() == Kind::Fake && term.output() == Some(output))
}

fn wrong(name: &str, message: impl Display, help: impl Into<String>) -> anyhow::Error {
    refusal(format!("{name}: {message}"), help)
}
