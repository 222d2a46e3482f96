//! Figures of stages, for one run or for several side by side.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callsheet_figures::label::letter;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use maud::{Markup, html};

use super::command::command;
use super::images::images;
use super::picture::element;
use super::scatter::scatter;
use super::subject::{Done, Subject};
use super::table::table;
use crate::declare::{Bytes, Figure, OutputDecl};
use crate::store::{Object, Store};

/// Largest picture file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// Figure of one run.
struct Shown<'a> {
    subject: &'a Subject,
    stage: &'a Done,
    decl: &'a OutputDecl,
    object: &'a Object,
}

/// Stages and outputs that declare a figure in any of the runs, in the order of the stages.
fn names(subjects: &[Subject]) -> Vec<(&str, &str)> {
    let mut seen = BTreeSet::new();
    let all = subjects.iter().flat_map(|subject| &subject.stages).flat_map(|stage| {
        let outputs = stage.decl.iter().flat_map(|decl| &decl.outputs);
        let shown = outputs.filter(|(_, decl)| decl.figure.is_some());
        shown.map(|(output, _)| (stage.name.as_str(), output.as_str()))
    });
    all.filter(|name| seen.insert(*name)).collect()
}

/// Figure of an output in a run.
fn find<'a>(subject: &'a Subject, stage: &str, output: &str) -> Option<Shown<'a>> {
    let stage = subject.stages.iter().find(|done| done.name == stage)?;
    let decl = stage.decl.as_ref()?.outputs.get(output)?;
    let object = stage.record.as_ref()?.outputs.get(output)?;
    Some(Shown { subject, stage, decl, object })
}

/// Pictures that lead the report of a run, with the links to their sections.
pub(super) fn leading(store: &Store, subject: &Subject) -> Vec<Markup> {
    let all = names(std::slice::from_ref(subject)).into_iter();
    let shown = all.filter_map(|(stage, output)| Some((stage, output, find(subject, stage, output)?)));
    let shown = shown.filter(|(.., shown)| shown.decl.lead);
    let picture = |(stage, output, shown): (&str, &str, Shown)| {
        html! {
            figure id=(format!("{stage}.{output}")) {
                p.note { strong { (stage.replace('_', " ")) } " " (shown.decl.doc) "." }
                (shown.markup(store, output))
            }
        }
    };
    shown.map(picture).collect()
}

/// Section for each figure that does not lead the page. A figure that is equal in all runs is shown once; figures that
/// differ come first.
pub(super) fn figures(store: &Store, subjects: &[Subject]) -> Markup {
    let shown_of = |(stage, output): (&str, &str)| -> Vec<Option<Shown>> {
        subjects.iter().map(|subject| find(subject, stage, output)).collect()
    };
    let is_same = |shown: &[Option<Shown>]| {
        let bytes = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.object.bytes);
        shown.iter().all(|other| bytes(other) == bytes(&shown[0]))
    };
    let leads =
        |shown: &[Option<Shown>]| subjects.len() == 1 && shown.iter().flatten().any(|one| one.decl.lead);
    let mut all: Vec<_> = names(subjects).into_iter().map(|name| (name, shown_of(name))).collect();
    all.retain(|(_, shown)| !leads(shown));
    all.sort_by_key(|(_, shown)| subjects.len() > 1 && is_same(shown));
    html! {
        @for ((stage, output), shown) in all {
            @let first = shown.iter().flatten().next();
            @let same = is_same(&shown);
            section id=(format!("{stage}.{output}")) {
                h3 { (stage.replace('_', " ")) @if output != stage { ": " (output) } }
                @if let Some(first) = first { p { (first.decl.doc) "." } }
                @if same && subjects.len() > 1 { p.note { "This figure is equal in all runs." } }
                div.beside {
                    @for (n, shown) in shown.iter().enumerate().take(if same { 1 } else { shown.len() }) {
                        figure {
                            @if !same { h4 { (letter(n)) } }
                            @match shown {
                                Some(shown) => (shown.markup(store, output)),
                                None => p.note { "Not computed." },
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Shown<'_> {
    fn markup(&self, store: &Store, output: &str) -> Markup {
        let Shown { subject, stage, decl, object } = self;
        let name = format!("{}.{output}", stage.name);
        let content = self.content(&store.materialize(object), &format!("{name}: {}", decl.doc));
        let key = stage.record.as_ref().map(|record| record.key.digest().to_string()).unwrap_or_default();
        html! {
            // A damaged figure must not prevent the other figures from being shown.
            (content.unwrap_or_else(|error| html! { p.wrong { "This figure cannot be shown: " (error) } }))
            figcaption {
                code { (name) } ", action " code title=(key) { (key[..key.len().min(12)]) } ", re-run with "
                code { (command(&subject.run, &[stage.name.clone(), "--force".into(), stage.name.clone()])) }
            }
        }
    }

    fn content(&self, path: &Path, alt: &str) -> Result<Markup> {
        match self.decl.figure {
            Some(Figure::Table) => {
                table(path, self.decl.headline.as_ref().map_or(&[], |headline| &headline.label))
            }
            Some(Figure::Images) => images(path),
            Some(Figure::Scatter) => scatter(path, alt),
            Some(Figure::Picture) if self.object.size > LARGEST => {
                let size = Bytes(self.object.size);
                Err(Error::user_error(
                    Code::Unsupported,
                    format!("{} is too large for a page: {size}", path.display()),
                    "",
                ))
            }
            Some(Figure::Picture) => {
                let shown = element(&fs::read(path).io_context("cannot read", path)?, alt);
                shown.map_err(|error| {
                    Error::user_error(Code::Unreadable, format!("{}: {error}", path.display()), "")
                })
            }
            None => Ok(html! {}),
        }
    }
}
