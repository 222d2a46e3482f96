//! Computes the losses of a step and all gradients from one forward pass, on two lanes where there are two.
//!
//! The forward pass is cut where the generator's outputs are: each lane makes outputs of its part of the images; the
//! losses are computed of all outputs together, each on whichever lane is free; and each lane takes the gradients at
//! its own outputs back to encoder and generator. That is the chain rule: results differ from those of one lane by
//! rounding alone.

use std::collections::BTreeMap;

use tch::Tensor;

use super::forward::{Outputs, noise, outputs};
use super::lanes::Lanes;
use super::losses::{Networks, Value, addends, factors, total, values};
use super::sampler::Batch;
use crate::lib::objective::{Family, Network, Objective, Optimizer, Output, Term};

/// Losses and gradients of a step, computed before anything is updated.
pub(super) struct Gradients {
    /// The terms' values.
    pub values: BTreeMap<Term, Value>,
    /// Total that each optimizer minimised.
    pub totals: Vec<(String, Tensor)>,
    /// By optimizer and network, for its tensors in order; undefined where no loss depends on a tensor.
    pub by_network: BTreeMap<(String, Network), Vec<Tensor>>,
}

/// Images that one lane takes.
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

/// Result of a task: values without their graph, and for each optimizer the gradients at the outputs (if it updates
/// the encoder or the generator) and at its own weights.
struct Done {
    share: f64,
    values: BTreeMap<Term, Value>,
    gradients: BTreeMap<String, Vec<Tensor>>,
}

/// Gradients of `objective` for `batches`; `wanted` are VGG's features of each batch's B where a term compares with
/// them, `known` the codes of the images B where they are known.
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
    // What is drawn within the networks comes from one stream, and on one thread in one order.
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

/// Rows of a batch: the first, and how many.
type Rows = (i64, i64);

fn narrow(tensor: &Tensor, (start, count): Rows) -> Tensor {
    if tensor.defined() { tensor.narrow(0, start, count) } else { Tensor::new() }
}

/// Other handles of the same tensors.
fn share(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::shallow_clone).collect()
}

/// `count` rows in `parts` parts of about one size; none is empty.
pub(super) fn ranges(count: i64, parts: usize) -> Vec<Rows> {
    let parts = (parts as i64).min(count);
    let start = |part: i64| count * part / parts;
    (0..parts).map(|part| (start(part), start(part + 1) - start(part))).collect()
}

/// Outputs of all parts as leaves: tensors at which gradients end.
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

/// The terms in tasks that take about as long as each other: what goes through VGG, by parts of the images; what each
/// discriminator judges; and the rest.
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
    // The first half of a list goes to one lane, the second to the other, until one of them is done.
    let mut all = Vec::new();
    for rows in rows.iter().filter(|_| !those(&compared).is_empty()) {
        all.push(task(those(&compared), *rows));
        all.extend(whole.next());
    }
    all.extend(whole);
    all
}

/// Gradients at the outputs are asked for by optimizers that update what made them.
fn asked<'a>(optimizer: &Optimizer, leaves: &'a [Tensor]) -> &'a [Tensor] {
    if optimizer.updates.iter().any(|network| makes_outputs(*network)) { leaves } else { &[] }
}

fn makes_outputs(network: Network) -> bool {
    matches!(network, Network::Encoder | Network::Generator)
}

/// All tensors that an optimizer updates, network by network.
fn weights(networks: Networks, optimizer: &Optimizer) -> Vec<Tensor> {
    let all = optimizer.updates.iter().flat_map(|network| networks.model.vars(*network).tensors());
    all.map(Tensor::shallow_clone).collect()
}

/// Gradients at the weights of encoder and generator, from those at the outputs of one part of the images.
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
        // Its gradients at the outputs are those that were found there.
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

/// Adds gradients to others, tensor by tensor; one that is undefined adds nothing.
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

/// By optimizer: gradients at the `leaves` outputs where it asks for them, and at its weights.
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
