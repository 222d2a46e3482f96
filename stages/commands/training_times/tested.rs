//! Tests of claims about training times, by the events of trainings.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_figures::label::{human_seconds, number};

use super::claim::{Claim, Repetitions};
use super::estimate::{Value, mean, ratio};
use super::pace::pace;
use super::quality::{goal, measured, until};
use super::training::{Measured, QUALITY, Training};

/// Verdict on a claim by one measure.
pub(super) struct Tested {
    /// Mean time of each side.
    pub took: [Value; 2],
    /// Time of the side that is claimed to be slower, divided by that of the other side.
    pub ratio: Value,
    /// Number of repetitions of each side; instances that share a result count once.
    pub repetitions: [usize; 2],
    /// Part of a side that was done only once, `repetition` or `pre-training`, if there is one.
    pub single: Option<&'static str>,
    /// Formats times.
    pub shown: fn(f64) -> String,
}

/// Name of a measure, and the test of a claim by it, or the reason why it cannot be tested.
pub(super) type Row = (String, Result<Tested, String>);

/// Trainings of a claim.
struct Sides<'a> {
    pretraining: Vec<&'a Training>,
    /// Repetitions of each side; the stages of a repetition continue from one another.
    sides: [Vec<Vec<&'a Training>>; 2],
}

/// Tests a claim by each measure. `directions` maps a metric to true if larger values of it are better.
pub(super) fn rows(
    claim: &Claim,
    trainings: &[(&str, Training)],
    directions: &BTreeMap<&str, bool>,
) -> Vec<Row> {
    let step = "seconds per step".to_owned();
    let sides = match Sides::find(claim, trainings) {
        Ok(sides) => sides,
        Err(why) => return vec![(step, Err(why))],
    };
    let stages = sides.sides.iter().flatten().flatten();
    let names: BTreeSet<&str> = stages.flat_map(|stage| stage.quality.keys()).map(String::as_str).collect();
    let qualities = names.iter().map(|name| sides.to_quality(name, directions.get(name)));
    [(step, sides.a_step())].into_iter().chain(qualities).collect()
}

impl<'a> Sides<'a> {
    fn find(claim: &Claim, trainings: &'a [(&str, Training)]) -> Result<Self, String> {
        let stage = |name: &String| {
            let found = trainings.iter().find(|(known, _)| known == name).map(|(_, training)| training);
            found.ok_or_else(|| format!("no times are known for {name}"))
        };
        let chain = |names: &Vec<String>| names.iter().map(stage).collect::<Result<Vec<_>, _>>();
        let side = |training: &Repetitions| -> Result<Vec<Vec<&Training>>, String> {
            let mut repetitions: Vec<Vec<&Training>> =
                training.iter().map(chain).collect::<Result<_, _>>()?;
            // Instances may share the result of one of them.
            let mut known = BTreeSet::new();
            repetitions
                .retain(|stages| known.insert(stages.iter().map(|stage| &stage.made_by).collect::<Vec<_>>()));
            Ok(repetitions)
        };
        let sides = [side(&claim.faster)?, side(&claim.than)?];
        alike(sides.iter().flatten().flatten(), &[])?;
        Ok(Self { pretraining: chain(&claim.pretraining)?, sides })
    }

    fn a_step(&self) -> Result<Tested, String> {
        let paces = |side: &Vec<Vec<&Training>>| -> Option<Vec<Value>> {
            let found: Vec<Value> = side.iter().map(|stages| pace(stages)).collect::<Option<_>>()?;
            // The differences between several repetitions replace the intervals from the steps of each.
            let ends = |one: &Value| one.ends.filter(|_| found.len() == 1);
            Some(found.iter().map(|one| Value { ends: ends(one), ..*one }).collect())
        };
        match self.sides.each_ref().map(paces) {
            [Some(faster), Some(than)] => tested([faster, than], number),
            _ => Err("too few steps were reported".to_owned()),
        }
    }

    /// Compares the times that both sides took until they reached a quality that all their repetitions
    /// reached.
    fn to_quality(&self, name: &str, more: Option<&bool>) -> Row {
        let before = [self.pretraining.iter().map(|stage| stage.seconds()).sum::<f64>(), 0.0];
        let of_side =
            |side: usize| self.sides[side].iter().map(move |stages| measured(before[side], stages, name));
        let sides: [Vec<Vec<Measured>>; 2] = [of_side(0).collect(), of_side(1).collect()];
        let unknown =
            |why: &str| (format!("until {}", name.trim_start_matches(QUALITY)), Err(why.to_owned()));
        let Some(more) = more else {
            return unknown("the trainings do not show whether larger values are better");
        };
        let Some(goal) = goal(&sides.concat(), *more) else {
            return unknown("not all trainings measured it");
        };
        let all = || self.sides.iter().flatten().flatten().chain(&self.pretraining);
        if all().any(|stage| stage.continued) {
            let why = "a stage was retried, or resumed from an earlier run".to_owned();
            return (goal.shown(name), Err(why));
        }
        // A pre-training may have another number of CPUs than the training that it is for.
        if let Err(why) = alike(all(), &["cpus"]) {
            return (goal.shown(name), Err(why));
        }
        let value = |start: f64, measured: &Vec<Measured>| {
            until(start, measured, goal).map(|ends| Value { value: ends[1], ends: Some(ends) })
        };
        let values =
            |side: usize| sides[side].iter().filter_map(|measured| value(before[side], measured)).collect();
        let tested = tested([values(0), values(1)], human_seconds);
        let pretrained = (!self.pretraining.is_empty()).then_some("pre-training");
        (goal.shown(name), tested.map(|tested| Tested { single: tested.single.or(pretrained), ..tested }))
    }
}

/// Checks that all trainings ran under equal conditions, such as host and device, apart from those in
/// `except`.
fn alike<'a>(trainings: impl Iterator<Item = &'a &'a Training>, except: &[&str]) -> Result<(), String> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in trainings.flat_map(|training| &training.conditions) {
        values.entry(name).or_default().insert(value);
    }
    let several = values.iter().filter(|(name, values)| values.len() > 1 && !except.contains(name));
    let names: Vec<&str> = several.map(|(name, _)| *name).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(format!("some stages were trained with another {}", names.join(", another ")))
    }
}

fn tested(took: [Vec<Value>; 2], shown: fn(f64) -> String) -> Result<Tested, String> {
    let ratio = ratio(&took[0], &took[1]).ok_or("no time has passed")?;
    let repetitions = took.each_ref().map(Vec::len);
    let single = repetitions.contains(&1).then_some("repetition");
    Ok(Tested { took: took.each_ref().map(|side| mean(side)), ratio, repetitions, single, shown })
}
