//! Losses of a step and all their gradients from one forward pass, on one lane or two.
//!
//! The forward pass is cut at the generator's outputs. Each lane computes the outputs for its part of the
//! images. The losses are computed from all outputs together, each on the next free lane. Then each lane
//! propagates the gradients at its own outputs back to encoder and generator. By the chain rule, results
//! differ from those of one lane only by rounding.

use std::collections::BTreeMap;

use tch::Tensor;

use super::forward::{Outputs, noise, outputs};
use super::lanes::Lanes;
use super::losses::{Networks, Value, addends, factors, total, values};
use super::sampler::Batch;
use crate::lib::objective::{Family, Network, Objective, Optimizer, Output, Term};

/// Losses and gradients of a step, computed before anything is updated.
pub(super) struct Gradients {
    /// Values of the terms.
    pub values: BTreeMap<Term, Value>,
    /// Total that each optimizer minimised.
    pub totals: Vec<(String, Tensor)>,
    /// Gradients by optimizer and network, for its tensors in order; undefined where no loss depends on a
    /// tensor.
    pub by_network: BTreeMap<(String, Network), Vec<Tensor>>,
}

/// Images that one lane computes outputs for.
struct Part {
    batches: Vec<Batch>,
    known: Option<Vec<Tensor>>,
    noise: Tensor,
}

/// Terms that one lane computes.
struct Task {
    terms: Vec<Term>,
    /// Share of the batch that the terms are computed from.
    share: f64,
    batches: Vec<Batch>,
    wanted: Vec<Vec<Tensor>>,
    outputs: Outputs,
}

/// Result of a task: the values without their graph, and the gradients of each optimizer. These are at the
/// outputs, if it updates the encoder or the generator, and at its own weights.
struct Done {
    share: f64,
    values: BTreeMap<Term, Value>,
    gradients: BTreeMap<String, Vec<Tensor>>,
}

/// Computes the gradients of `objective` for `batches`. `wanted` contains VGG's features of each batch's B if
/// a term compares with them, and `known` the codes of the images B if they are known.
pub(super) fn gradients(
    lanes: &Lanes,
    networks: Networks,
    objective: &Objective,
    batches: &[Batch],
    wanted: &[Vec<Tensor>],
    known: Option<Vec<Tensor>>,
) -> Gradients {
    let model = networks.model;
    let count = batches[0].rows.len() as i64;
    let noise = noise(model, count);
    // Random numbers within the networks come from one stream, whose order is fixed only on one thread.
    let draws = objective.variational || objective.networks == Family::Bicyclegan;
    let rows = ranges(count, if draws { 1 } else { lanes.count() });
    let parts = rows.iter().map(|rows| Part::new(batches, known.as_deref(), &noise, *rows)).collect();
    let networks = &networks;
    let made: Vec<Outputs> = lanes.map(parts, |part: Part| part.compute(*networks, objective));

    let leaves = joined(&made, &noise);
    let tasks = tasks(objective, batches, wanted, &leaves, &ranges(count, lanes.count()));
    let leaf_tensors = leaves.tensors();
    let items = tasks.into_iter().map(|task| (task, share(&leaf_tensors))).collect();
    let (taken, used) = (batches.len(), leaves.styles.len());
    let done: Vec<Done> = lanes.map(items, |(task, leaves): (Task, Vec<Tensor>)| {
        task.compute(*networks, objective, taken, used, &leaves)
    });

    let values = summed_values(&done);
    let totals: Vec<(String, Tensor)> = objective
        .optimizers
        .iter()
        .map(|(name, optimizer)| (name.clone(), total(optimizer, objective.gan_mean, &values)))
        .collect();
    let (at_leaves, mut at_weights) = summed_gradients(objective, &done, leaf_tensors.len());

    let parts = made.into_iter().zip(&rows).map(|(made, rows)| {
        let narrowed = |all: &Vec<Tensor>| all.iter().map(|tensor| narrow(tensor, *rows)).collect();
        let at_outputs: BTreeMap<String, Vec<Tensor>> =
            at_leaves.iter().map(|(name, all)| (name.clone(), narrowed(all))).collect();
        (made, at_outputs)
    });
    let back =
        lanes.map(parts.collect(), |(made, at_outputs)| backward(*networks, objective, &made, &at_outputs));
    for (name, gradients) in back.into_iter().flatten() {
        add(at_weights.entry(name).or_default(), gradients);
    }
    Gradients { values, totals, by_network: by_network(networks, objective, at_weights) }
}

impl Part {
    fn new(batches: &[Batch], known: Option<&[Tensor]>, noise: &Tensor, rows: Rows) -> Self {
        Self {
            batches: batches.iter().map(|batch| batch.narrow(rows)).collect(),
            known: known.map(|codes| codes.iter().map(|codes| narrow(codes, rows)).collect()),
            noise: narrow(noise, rows),
        }
    }

    fn compute(self, networks: Networks, objective: &Objective) -> Outputs {
        outputs(networks.model, objective, &self.batches, self.known, &self.noise)
    }
}

impl Task {
    fn compute(
        self,
        networks: Networks,
        objective: &Objective,
        batches: usize,
        used: usize,
        leaves: &[Tensor],
    ) -> Done {
        let Self { terms, share, .. } = self;
        let values = values(networks, objective, &terms, &self.batches, &self.wanted, &self.outputs);
        let factors = |optimizer: &Optimizer| -> Vec<(Term, f64)> {
            let all = factors(optimizer, objective.gan_mean, |term| addends(term, batches, used));
            all.into_iter().filter(|(term, _)| terms.contains(term)).collect()
        };
        let mut minimised: Vec<_> =
            objective.optimizers.iter().map(|(name, o)| (name, o, factors(o))).collect();
        minimised.retain(|(_, _, factors)| !factors.is_empty());
        let last = minimised.len().saturating_sub(1);
        let mut gradients = BTreeMap::new();
        for (at, (name, optimizer, factors)) in minimised.into_iter().enumerate() {
            let loss: Tensor =
                factors.iter().map(|(term, factor)| &values[term].sum * (factor * share)).sum();
            let own = weights(networks, optimizer);
            let wanted: Vec<&Tensor> = asked(optimizer, leaves).iter().chain(&own).collect();
            let found = Tensor::run_backward(&[&loss], &wanted, at < last, false);
            gradients.insert(name.clone(), found);
        }
        let detached = |(term, Value { sum, count })| (term, Value { sum: sum.detach(), count });
        Done { share, values: values.into_iter().map(detached).collect(), gradients }
    }
}

/// Rows of a batch: the first row, and the number of rows.
type Rows = (i64, i64);

fn narrow(tensor: &Tensor, (start, count): Rows) -> Tensor {
    if tensor.defined() { tensor.narrow(0, start, count) } else { Tensor::new() }
}

/// Returns other handles of these tensors.
fn share(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::shallow_clone).collect()
}

/// Divides `count` rows into at most `parts` parts of about equal size; none is empty.
pub(super) fn ranges(count: i64, parts: usize) -> Vec<Rows> {
    let parts = (parts as i64).min(count);
    let start = |part: i64| count * part / parts;
    (0..parts).map(|part| (start(part), start(part + 1) - start(part))).collect()
}

/// Joins the outputs of all parts into leaves, which are tensors at which gradients end.
fn joined(made: &[Outputs], noise: &Tensor) -> Outputs {
    let parts: Vec<Vec<Tensor>> = made.iter().map(Outputs::tensors).collect();
    let mut at = 0;
    let mut leaves = made[0].map(|_| {
        let same: Vec<Tensor> = parts.iter().map(|part| part[at].detach()).collect();
        at += 1;
        Tensor::cat(&same, 0).set_requires_grad(true)
    });
    leaves.noise = noise.shallow_clone();
    leaves
}

/// Divides the terms into tasks of similar duration: the terms that need VGG, by parts of the images; the
/// terms of each output that a discriminator judges; and the others.
fn tasks(
    objective: &Objective,
    batches: &[Batch],
    wanted: &[Vec<Tensor>],
    outputs: &Outputs,
    rows: &[Rows],
) -> Vec<Task> {
    let has = |term: &Term| objective.has(*term);
    let of_output = |output: Option<Output>| -> Vec<Term> {
        Term::ALL
            .into_iter()
            .filter(|term| has(term) && output.is_some() && term.output() == output)
            .collect()
    };
    let compared = |term: &Term| matches!(term, Term::Perceptual | Term::Cycle);
    let real = |term: &Term| matches!(term, Term::Real | Term::SecondReal);
    let rest = |term: &Term| !compared(term) && !real(term) && term.output().is_none();
    let those = |of: &dyn Fn(&Term) -> bool| -> Vec<Term> {
        Term::ALL.into_iter().filter(|term| has(term) && of(term)).collect()
    };
    let count = batches[0].rows.len() as i64;
    let task = |terms: Vec<Term>, rows: Rows| Task {
        terms,
        share: rows.1 as f64 / count as f64,
        batches: batches.iter().map(|batch| batch.narrow(rows)).collect(),
        wanted: wanted.iter().map(|taps| taps.iter().map(|tap| narrow(tap, rows)).collect()).collect(),
        outputs: outputs.map(|tensor| narrow(tensor, rows)),
    };
    let judged = [Output::Reconstruction, Output::Random, Output::Swap, Output::Cycle];
    let whole = judged.into_iter().map(|output| of_output(Some(output))).chain([those(&real), those(&rest)]);
    let mut whole = whole.filter(|terms| !terms.is_empty()).map(|terms| task(terms, (0, count)));
    // The first half of the list goes to one lane, and the second half to the other, until one lane is done.
    let mut all = Vec::new();
    for rows in rows.iter().filter(|_| !those(&compared).is_empty()) {
        all.push(task(those(&compared), *rows));
        all.extend(whole.next());
    }
    all.extend(whole);
    all
}

/// Returns the outputs at which an optimizer needs gradients: all if it updates a network that computed them,
/// else none.
fn asked<'a>(optimizer: &Optimizer, leaves: &'a [Tensor]) -> &'a [Tensor] {
    if optimizer.updates.iter().any(|network| makes_outputs(*network)) { leaves } else { &[] }
}

fn makes_outputs(network: Network) -> bool {
    matches!(network, Network::Encoder | Network::Generator)
}

/// Returns all tensors that an optimizer updates, network by network.
fn weights(networks: Networks, optimizer: &Optimizer) -> Vec<Tensor> {
    let all = optimizer.updates.iter().flat_map(|network| networks.model.vars(*network).tensors());
    all.map(Tensor::shallow_clone).collect()
}

/// Computes the gradients at the weights of encoder and generator from those at the outputs of one part of
/// the images.
fn backward(
    networks: Networks,
    objective: &Objective,
    made: &Outputs,
    at_outputs: &BTreeMap<String, Vec<Tensor>>,
) -> Vec<(String, Vec<Tensor>)> {
    let outputs = made.tensors();
    let mut found = Vec::new();
    for (at, (name, gradients)) in at_outputs.iter().enumerate() {
        let depends =
            outputs.iter().zip(gradients).filter(|(o, gradient)| gradient.defined() && o.requires_grad());
        // The gradients of this sum at the outputs are the given ones.
        let products: Vec<Tensor> =
            depends.map(|(output, gradient)| (output * gradient).sum(output.kind())).collect();
        if products.is_empty() {
            continue;
        }
        let loss: Tensor = products.into_iter().sum();
        let own = weights(networks, &objective.optimizers[name]);
        let own: Vec<&Tensor> = own.iter().collect();
        found.push((name.clone(), Tensor::run_backward(&[&loss], &own, at + 1 < at_outputs.len(), false)));
    }
    found
}

/// Adds gradients to others, tensor by tensor; an undefined gradient adds nothing.
fn add(sum: &mut Vec<Tensor>, gradients: Vec<Tensor>) {
    if sum.is_empty() {
        *sum = gradients;
        return;
    }
    for (sum, gradient) in sum.iter_mut().zip(gradients).filter(|(_, gradient)| gradient.defined()) {
        *sum = if sum.defined() { &*sum + gradient } else { gradient };
    }
}

fn summed_values(done: &[Done]) -> BTreeMap<Term, Value> {
    let mut all: BTreeMap<Term, Value> = BTreeMap::new();
    for Done { share, values, .. } in done {
        for (term, value) in values {
            let part = &value.sum * *share;
            let sum = match all.remove(term) {
                Some(before) => before.sum + part,
                None => part,
            };
            all.insert(*term, Value { sum, count: value.count });
        }
    }
    all
}

/// Sums the gradients of each optimizer at the `leaves` outputs, if it needs them, and at its weights.
fn summed_gradients(
    objective: &Objective,
    done: &[Done],
    leaves: usize,
) -> (BTreeMap<String, Vec<Tensor>>, BTreeMap<String, Vec<Tensor>>) {
    let (mut at_leaves, mut at_weights) = (BTreeMap::new(), BTreeMap::new());
    for (name, gradients) in done.iter().flat_map(|done| &done.gradients) {
        let asks = objective.optimizers[name].updates.iter().any(|network| makes_outputs(*network));
        let (outputs, weights) = gradients.split_at(if asks { leaves } else { 0 });
        if asks {
            add(at_leaves.entry(name.clone()).or_default(), share(outputs));
        }
        add(at_weights.entry(name.clone()).or_default(), share(weights));
    }
    (at_leaves, at_weights)
}

fn by_network(
    networks: &Networks,
    objective: &Objective,
    at_weights: BTreeMap<String, Vec<Tensor>>,
) -> BTreeMap<(String, Network), Vec<Tensor>> {
    let of_optimizer = |(name, gradients): (String, Vec<Tensor>)| {
        let mut gradients = gradients.into_iter();
        let updates = objective.optimizers[&name].updates.iter();
        let own = updates.map(|network| {
            let count = networks.model.vars(*network).named().len();
            ((name.clone(), *network), gradients.by_ref().take(count).collect())
        });
        own.collect::<Vec<_>>()
    };
    at_weights.into_iter().flat_map(of_optimizer).collect()
}
