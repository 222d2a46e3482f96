//! A tally for people, and for programs.

use std::fmt::Write as _;

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::print::{plain, print_json, print_text};

use super::count::{Compared, Share, Tally};

/// Prints a tally.
///
/// # Errors
/// When it cannot be put into words.
pub(super) fn tally(tally: &Tally, json: bool) -> Result<()> {
    if json {
        print_json(tally);
    } else {
        print_text(&text(tally)?);
    }
    Ok(())
}

fn text(tally: &Tally) -> Result<String> {
    let mut text = format!("study {}: {} participants{}\n", tally.study, tally.participants, besides(tally));
    if !tally.note.is_empty() {
        writeln!(text, "{}", plain(&tally.note))?;
    }
    let names: Vec<String> = tally.methods.iter().map(|compared| plain(&compared.method)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(12);
    writeln!(
        text,
        "\n{:width$}  answers  {:24}  both  {:24}  {:24}  kappa",
        "preferred to", "more realistic", "closer in style", "in all"
    )?;
    for (name, compared) in names.iter().zip(&tally.methods) {
        let Compared { realism, both_realistic, style, preferred, kappa, .. } = compared;
        writeln!(
            text,
            "{name:width$}  {:>7}  {:24}  {both_realistic:>4}  {:24}  {:24}  {}",
            realism.answers,
            shown(realism),
            shown(style),
            shown(preferred),
            agreement(*kappa)
        )?;
    }
    write!(
        text,
        "\nShares of answers in favour of {}, with intervals of 95 % confidence (Wilson), which take answers for\n\
         independent. Of realism, `both` counts half; style is asked of those who say it. kappa (Fleiss; {} over\n\
         all): how far participants agree on realism, 0 as by chance, 1 wholly.",
        plain(&tally.ours),
        agreement(tally.kappa)
    )?;
    Ok(text)
}

/// Participants who are left out, or could be.
fn besides(tally: &Tally) -> String {
    let mut parts = Vec::new();
    if tally.incomplete > 0 {
        parts.push(format!("{} of them did not answer all questions", tally.incomplete));
    }
    let failed = tally.inattentive.len();
    let files = plain(&list(tally.inattentive.iter().map(String::as_str)));
    match (failed, tally.keeps_inattentive) {
        (0, _) => {}
        (_, true) => parts.push(format!("{failed} of them failed a check of attention: {files}")),
        (_, false) => parts.push(format!(
            "{failed} more failed a check of attention and are left out (--keep-inattentive keeps them): {files}"
        )),
    }
    parts.iter().map(|part| format!("; {part}")).collect()
}

/// `71.2 % (62.5 to 78.6)`.
fn shown(share: &Share) -> String {
    match share.share {
        Some(value) => {
            format!("{:.1} % ({:.1} to {:.1})", value * 100.0, share.low * 100.0, share.high * 100.0)
        }
        None => "-".to_owned(),
    }
}

fn agreement(kappa: Option<f64>) -> String {
    kappa.map_or_else(|| "-".to_owned(), |kappa| format!("{kappa:.2}"))
}
