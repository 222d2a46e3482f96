//! Tally of the answers of all participants.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answers::{Participant, Verdict};
use super::statistics::fleiss_kappa;
use crate::lib::wilson::wilson;
use crate::user_study::{Key, Purpose};

/// Number and share of answers in favour of the method `ours`.
#[derive(Serialize)]
pub(super) struct Share {
    /// Number of answers in favour of `ours`; a tie counts half.
    pub ours: f64,
    /// Number of answers.
    pub answers: usize,
    /// `ours / answers`; none if there are no answers.
    pub share: Option<f64>,
    /// Ends of the share's 95 % confidence interval (Wilson), which assumes independent answers.
    pub low: f64,
    pub high: f64,
}

/// Comparison of `ours` with another method.
#[derive(Serialize)]
pub(super) struct Compared {
    /// Name of the other method.
    pub method: String,
    /// Answers that `ours` is more realistic; answers that both are realistic count half.
    pub realism: Share,
    /// Number of answers that both are realistic.
    pub both_realistic: usize,
    /// Answers that `ours` is closer in style, where both are realistic.
    pub style: Share,
    /// Answers that `ours` is more realistic, or closer in style where both are realistic.
    pub preferred: Share,
    /// Fleiss' kappa of the answers on realism: `ours`, both, or the other method.
    pub kappa: Option<f64>,
}

/// Tally of a study.
#[derive(Serialize)]
pub(super) struct Tally {
    pub study: String,
    pub title: String,
    pub note: String,
    /// Name of the method that is compared with all others.
    pub ours: String,
    /// Number of participants whose answers are counted.
    pub participants: usize,
    /// Number of counted participants who did not answer all questions.
    pub incomplete: usize,
    /// Files of participants who failed an attention check.
    pub inattentive: Vec<String>,
    /// True if inattentive participants are counted, too.
    pub keeps_inattentive: bool,
    /// Comparisons with the other methods, sorted by name.
    pub methods: Vec<Compared>,
    /// Fleiss' kappa over all methods.
    pub kappa: Option<f64>,
}

impl Share {
    fn new(wins: usize, ties: usize, answers: usize) -> Self {
        let ours = wins as f64 + ties as f64 / 2.0;
        let (low, high) = wilson(ours, answers);
        Self { ours, answers, share: (answers > 0).then(|| ours / answers as f64), low, high }
    }
}

/// Answers about one question.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Numbers of answers: `ours` is more realistic, both are realistic, the other method is more realistic.
    realism: [usize; 3],
    /// Number of answers that both are realistic and `ours` is closer in style.
    style: usize,
}

impl Tally {
    /// Counts the answers of attentive participants, or of all if `keep_inattentive`.
    pub(super) fn new(key: &Key, participants: &[Participant], keep_inattentive: bool) -> Self {
        let (attentive, inattentive): (Vec<_>, Vec<_>) =
            participants.iter().partition(|participant| is_attentive(key, participant));
        let counted: Vec<&Participant> =
            if keep_inattentive { participants.iter().collect() } else { attentive };
        let mut methods: BTreeMap<&str, Vec<Counts>> = BTreeMap::new();
        for (at, question) in key.questions.iter().enumerate() {
            let Purpose::Ours(ours) = question.purpose else { continue };
            let mut counts = Counts::default();
            for verdict in counted.iter().filter_map(|participant| participant.verdicts.get(&at)) {
                match verdict {
                    Verdict::Realistic(side) => counts.realism[if *side == ours { 0 } else { 2 }] += 1,
                    Verdict::Style(side) => {
                        counts.realism[1] += 1;
                        counts.style += usize::from(*side == ours);
                    }
                }
            }
            methods.entry(key.methods[question.letter(ours.other())].as_str()).or_default().push(counts);
        }
        let realism = |counts: &Counts| counts.realism;
        let all: Vec<[usize; 3]> = methods.values().flatten().map(realism).collect();
        Self {
            study: key.study.clone(),
            title: key.title.clone(),
            note: key.note.clone(),
            ours: key.methods[&key.ours].clone(),
            participants: counted.len(),
            incomplete: counted.iter().filter(|person| person.verdicts.len() < key.questions.len()).count(),
            inattentive: inattentive.iter().map(|person| person.path.display().to_string()).collect(),
            keeps_inattentive: keep_inattentive,
            methods: methods.into_iter().map(|(method, counts)| compared(method, &counts)).collect(),
            kappa: fleiss_kappa(&all),
        }
    }
}

/// Returns true if a participant failed no attention check, where a real image is more realistic than noise.
fn is_attentive(key: &Key, participant: &Participant) -> bool {
    participant.verdicts.iter().all(|(at, verdict)| match key.questions[*at].purpose {
        Purpose::Check(right) => *verdict == Verdict::Realistic(right),
        Purpose::Ours(_) => true,
    })
}

fn compared(method: &str, counts: &[Counts]) -> Compared {
    let [ours, both, other] =
        [0, 1, 2].map(|at| counts.iter().map(|counts| counts.realism[at]).sum::<usize>());
    let style: usize = counts.iter().map(|counts| counts.style).sum();
    let answers = ours + both + other;
    let realism: Vec<[usize; 3]> = counts.iter().map(|counts| counts.realism).collect();
    Compared {
        method: method.to_owned(),
        realism: Share::new(ours, both, answers),
        both_realistic: both,
        style: Share::new(style, 0, both),
        preferred: Share::new(ours + style, 0, answers),
        kappa: fleiss_kappa(&realism),
    }
}
