//! Progress of a run on a terminal: one bar for each running stage, and log lines above the bars.

use std::collections::BTreeMap;

use callsheet_worker::print::say;
use callsheet_worker::protocol::WorkerEvent;
use kdam::{Bar, BarExt};

use super::log_reporter::LogReporter;
use crate::event::Event;

/// Name of the bar for the hashing of raw files.
const RAW: &str = "hashing raw data";

/// Reporter that draws the events of a run on a terminal.
pub(super) struct ProgressReporter<'a> {
    lines: LogReporter<'a>,
    bars: BTreeMap<String, Bar>,
}

impl<'a> ProgressReporter<'a> {
    /// Creates a reporter that draws bars below the lines of `lines`.
    pub(super) fn new(lines: LogReporter<'a>) -> Self {
        kdam::term::init(true);
        Self { lines, bars: BTreeMap::new() }
    }

    /// Draws one event.
    pub(super) fn report(&mut self, event: &Event) {
        if let Event::Hashing { done, total } = event {
            self.hashing(RAW, *done, *total);
            return;
        }
        // Other events follow only after raw files are hashed, so that bar is removed.
        if let Some(mut bar) = self.bars.remove(RAW) {
            let _ = bar.clear();
        }
        if let Event::Worker { stage, said: WorkerEvent::Progress { done, total, unit } } = event {
            self.progress(stage, *done as usize, *total as usize, unit);
            return;
        }
        if let Event::Worker { stage, said: WorkerEvent::Metric { name, value, .. } } = event {
            if let Some(bar) = self.bars.get_mut(stage) {
                bar.set_postfix(format!("{name}={value:.4}"));
            }
            return;
        }
        if let Event::Finished { stage, .. } | Event::Failed { stage, .. } | Event::Stopped { stage } = event
            && let Some(mut bar) = self.bars.remove(stage)
        {
            let _ = bar.clear();
        }
        for line in self.lines.report(event) {
            match self.bars.values_mut().next() {
                // A bar can write lines above itself.
                Some(bar) => drop(bar.write(line)),
                None => say(&line),
            }
        }
    }

    /// Draws the number of bytes that are hashed.
    pub(super) fn hashing(&mut self, name: &str, done: u64, total: u64) {
        self.progress(name, (done / 1_000_000) as usize, (total / 1_000_000) as usize, "MB");
    }

    /// Removes all bars.
    pub(super) fn clear(&mut self) {
        self.bars.values_mut().for_each(|bar| drop(bar.clear()));
        self.bars.clear();
    }

    fn progress(&mut self, stage: &str, done: usize, total: usize, unit: &str) {
        if !self.bars.contains_key(stage) {
            let taken: Vec<u16> = self.bars.values().map(|bar| bar.position).collect();
            let position = (0..).find(|p| !taken.contains(p)).unwrap_or_default();
            let bar = kdam::BarBuilder::default()
                .desc(stage)
                .total(total)
                .unit(format!(" {unit}"))
                .position(position)
                .leave(false)
                .dynamic_ncols(true)
                .build();
            let Ok(bar) = bar else { return };
            self.bars.insert(stage.to_owned(), bar);
        }
        if let Some(bar) = self.bars.get_mut(stage) {
            bar.total = total;
            let _ = bar.update_to(done);
        }
    }
}
