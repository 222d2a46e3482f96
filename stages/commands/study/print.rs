//! Tally as text and as JSON.

use std::fmt::Write as _;

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::print::{plain, print_json, print_text};

use super::count::{Compared, Share, Tally};

/// Prints a tally.
///
/// # Errors
/// Returns an error if the text cannot be formatted.
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
        "preferred to", "more realistic", "closer in style", "overall"
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
        "\nShares of answers in favour of {}, with 95 % confidence intervals (Wilson) that assume\n\
         independent answers. For realism, `both` counts half; only participants who gave this answer\n\
         were asked about style. kappa (Fleiss; {} over all methods) is the agreement of participants on\n\
         realism: 0 is chance, 1 is complete.",
        plain(&tally.ours),
        agreement(tally.kappa)
    )?;
    Ok(text)
}

/// Describes participants who are incomplete, and those who are left out or could be.
fn besides(tally: &Tally) -> String {
    let mut parts = Vec::new();
    if tally.incomplete > 0 {
        parts.push(format!("{} of them did not answer all questions", tally.incomplete));
    }
    let failed = tally.inattentive.len();
    let files = plain(&list(tally.inattentive.iter().map(String::as_str)));
    match (failed, tally.keeps_inattentive) {
        (0, _) => {}
        (_, true) => parts.push(format!("{failed} of them failed an attention check: {files}")),
        (_, false) => parts.push(format!(
            "{failed} more failed an attention check and are left out (--keep-inattentive keeps them): {files}"
        )),
    }
    parts.iter().map(|part| format!("; {part}")).collect()
}

/// Formats a share: `71.2 % (62.5 to 78.6)`.
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
