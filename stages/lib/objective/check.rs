//! Reads and checks files of objectives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::suggest;
use callsheet_worker::user_error;
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

/// Learning rate of StEP.
fn learning_rate() -> f64 {
    0.001
}

/// Betas of StEP.
fn betas() -> [f64; 2] {
    [0.0, 0.99]
}

/// Reads an objective, and removes parts without an effect: terms with weight 0 and, with `freeze_encoder`,
/// parts that would only train the encoder. Objectives that train in the same manner are therefore equal.
///
/// # Errors
/// Returns an error if the file is malformed, names an unknown term, trains nothing, or contradicts itself.
/// The message names the file.
pub(crate) fn read(path: &Path, freeze_encoder: bool) -> Result<Objective> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let written: Written = toml::from_str(&text).map_err(|error| {
        let help = "read the documentation: `callsheet stages resolve_objective`";
        user_error(
            format!("`{}` is not a valid objective: {}", path.display(), error.to_string().trim_end()),
            help,
        )
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut objective = resolved(&name, written)?;
    check(&name, &objective)?;
    if freeze_encoder {
        if objective.encoder == Start::Scratch {
            return Err(wrong(
                &name,
                "an encoder that starts from scratch cannot be frozen",
                "set encoder = \"pretrained\", or freeze_encoder = false",
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
                    format!("optimizers.{of}: unknown term `{term}`"),
                    suggest(&term, known()),
                ));
            };
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(wrong(
                    name,
                    format!("optimizers.{of}: `{weight}` is not a valid weight for {term}"),
                    "set a number of at least 0",
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
            "set updates = [\"generator\"] in one of them",
        ));
    }
    if objective.encoder == Start::Scratch && !objective.trains(Network::Encoder) {
        return Err(wrong(
            name,
            "the encoder starts from scratch, but no optimizer updates it",
            "set encoder = \"pretrained\", or updates = [\"encoder\", ..] in one of them",
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
        let missing = if updates.is_empty() { "updates no network" } else { "has no term of nonzero weight" };
        return Err(wrong(
            name,
            format!("{of} {missing}, so it trains nothing"),
            "leave it out, or add a network or term",
        ));
    }
    if !(learning_rate.is_finite() && *learning_rate > 0.0) {
        return Err(wrong(name, format!("{of}: learning_rate = `{learning_rate}`"), "set a number above 0"));
    }
    if let Some(beta) = betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
        return Err(wrong(name, format!("{of}: `{beta}` is not a valid beta"), "set 0 or more, and below 1"));
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
                format!("{of}: {shown} belongs to an output that the other discriminator judges"),
                "list the outputs of the second one in second_discriminator; the first judges the others",
            ));
        }
        if term.kind() == Kind::Gan && !learns(objective, judge, output) {
            return Err(wrong(
                name,
                format!("{of}: {shown} uses a discriminator that does not learn to judge its output"),
                "add an optimizer for it, with a real term and the fake term of the same output",
            ));
        }
    }
    let unreached = updates.iter().find(|network| !terms.keys().any(|term| term.reaches(**network)));
    match unreached {
        Some(network) => Err(wrong(
            name,
            format!("{of} updates the {}, but none of its terms depends on it", network.name()),
            "leave the network out, or add a term",
        )),
        None => Ok(()),
    }
}

/// Returns true if a discriminator learns to distinguish an output from real images.
fn learns(objective: &Objective, judge: Network, output: Output) -> bool {
    let of_judge = || objective.optimizers.values().filter(|o| o.updates.contains(&judge));
    let any = |wanted: &dyn Fn(&Term) -> bool| of_judge().any(|optimizer| optimizer.terms.keys().any(wanted));
    any(&|term| term.kind() == Kind::Real)
        && any(&|term| term.kind() == Kind::Fake && term.output() == Some(output))
}

fn wrong(name: &str, message: impl Display, help: impl Into<String>) -> anyhow::Error {
    user_error(format!("`{name}`: {message}"), help)
}
