//! Beginning of the report of a run: one sentence, the comparison, and pictures.

use maud::{Markup, html};

use super::figures::leading;
use super::headline::Headline;
use super::subject::Subject;
use crate::store::Store;

/// Comparisons that outputs of the run declare.
pub(super) fn headlines(store: &Store, subject: &Subject) -> Vec<Headline> {
    let outputs =
        subject.stages.iter().filter_map(|stage| Some((stage.decl.as_ref()?, stage.record.as_ref()?)));
    let declared = outputs.flat_map(|(decl, record)| {
        let with = decl.outputs.iter().filter_map(|(name, output)| Some((name, output.headline.as_ref()?)));
        with.filter_map(|(name, headline)| Some((record.outputs.get(name)?, headline)))
    });
    // A table that cannot be read is reported where its figure is shown.
    let read = |(object, decl)| Headline::read(&store.materialize(object), decl).ok().flatten();
    declared.filter_map(read).collect()
}

/// First sentence of the report: the main figures against the best baseline.
pub(super) fn sentence(headlines: &[Headline]) -> Markup {
    html! { @for headline in headlines { p.sentence { (headline.sentence) } } }
}

/// Comparison and pictures, side by side on a wide screen.
pub(super) fn lead(store: &Store, subject: &Subject, headlines: &[Headline]) -> Markup {
    let mut pictures = leading(store, subject).into_iter();
    let first = pictures.next();
    let others: Vec<Markup> = pictures.collect();
    html! {
        @if first.is_some() || !headlines.is_empty() {
            div.lead {
                @for headline in headlines { div { (headline.table()) } }
                @if let Some(first) = first { (first) }
            }
            @if !others.is_empty() { div.beside { @for picture in &others { (picture) } } }
        }
    }
}
