//! Progress of a run on a terminal: a line for each running stage and one for the whole run, below the printed lines.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use callsheet_figures::label::{counted, human_seconds};
use callsheet_worker::print::{plain, width};
use kdam::Animation;

use super::log_reporter::LogReporter;
use super::screen::{Screen, cut};
use super::task::Task;
use crate::event::Event;

/// Name of the line for the hashing of raw files.
const RAW: &str = "hashing raw data";

/// Largest number of lines for running stages.
const MOST_LINES: usize = 12;

/// Shortest time between two drawings that show no new line.
const REDRAW: Duration = Duration::from_millis(100);

/// Widths of a bar in columns.
const BAR: (usize, usize) = (8, 30);

/// Reporter that draws the events of a run on a terminal.
pub(super) struct ProgressReporter<'a> {
    lines: LogReporter<'a>,
    screen: Screen,
    /// Hashing that is in progress, by its name.
    hashing: Option<(String, Task)>,
    drawn: Option<Instant>,
}

impl<'a> ProgressReporter<'a> {
    /// Creates a reporter that draws below the lines of `lines`.
    pub(super) fn new(lines: LogReporter<'a>) -> Self {
        Self { lines, screen: Screen::default(), hashing: None, drawn: None }
    }

    /// Draws one event.
    pub(super) fn report(&mut self, event: &Event) {
        if let Event::Hashing { done, total } = event {
            return self.hashing(RAW, *done, *total);
        }
        // Other events follow only after raw files are hashed.
        self.hashing = None;
        let above = self.lines.report_to_terminal(event);
        if matches!(event, Event::RunFinished { .. }) {
            self.screen.draw(&above, &[]);
        } else if !above.is_empty() || self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            self.draw(&above);
        }
    }

    /// Draws the lines again, so that the times go on.
    pub(super) fn tick(&mut self) {
        if self.lines.begun() {
            self.draw(&[]);
        }
    }

    /// Draws the number of bytes that are hashed.
    pub(super) fn hashing(&mut self, name: &str, done: u64, total: u64) {
        let (_, task) = self.hashing.get_or_insert_with(|| (name.to_owned(), Task::new(None)));
        task.advance(done / 1_000_000, total / 1_000_000, "MB");
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            self.draw(&[]);
        }
    }

    /// Removes all lines that were drawn.
    pub(super) fn clear(&mut self) {
        self.screen.draw(&[], &[]);
    }

    fn draw(&mut self, above: &[String]) {
        self.drawn = Some(Instant::now());
        let columns = Screen::width() - 1;
        let run = self.lines.overview();
        let all: Vec<(&String, &Task)> = run.tasks.iter().collect();
        // The cursor cannot go back to lines that have left the screen: two lines are for the run and the cursor.
        let room = Screen::height().map_or(MOST_LINES, |rows| rows.saturating_sub(3).clamp(1, MOST_LINES));
        let shown = &all[..all.len().min(room)];
        let hashing = self.hashing.as_ref().map(|(name, task)| (name, task));
        let named: Vec<(&String, &Task)> = shown.iter().copied().chain(hashing).collect();
        let names = named.iter().map(|(name, _)| width(name)).max().unwrap_or_default().min(columns / 3);
        let mut lines: Vec<String> =
            named.iter().map(|(name, task)| line_of(name, names, task, columns)).collect();
        if all.len() > shown.len() {
            lines.push(format!(
                "and {} in addition",
                counted((all.len() - shown.len()) as u64, "running stage")
            ));
        }
        if self.lines.begun() {
            lines.push(cut(&run.line(), columns));
        }
        self.screen.draw(above, &lines);
    }
}

/// Line of a stage: name, bar, percentage, facts and elapsed time, as many as fit into `columns`.
fn line_of(name: &str, names: usize, task: &Task, columns: usize) -> String {
    let name = cut(&plain(name), names);
    let mut line = format!("{name}{}  ", " ".repeat(names - width(&name)));
    let elapsed = human_seconds(task.elapsed());
    let mut facts = task.facts();
    let percent = task.fraction().map(|fraction| format!("{:>3.0} %", fraction * 100.0));
    let rest = |facts: &[String]| {
        let all = percent.iter().chain(facts).chain([&elapsed]);
        all.cloned().collect::<Vec<_>>().join(", ")
    };
    let bar = if percent.is_some() { BAR.0 + 1 } else { 0 };
    while !facts.is_empty() && width(&line) + bar + width(&rest(&facts)) > columns {
        facts.pop();
    }
    let rest = rest(&facts);
    if let Some(fraction) = task.fraction() {
        let free = columns.saturating_sub(width(&line) + width(&rest) + 1);
        if let Some(columns) = NonZeroU16::new(free.min(BAR.1) as u16).filter(|_| free >= BAR.0) {
            line += &Animation::Tqdm.render(columns, fraction as f32);
            line.push(' ');
        }
    }
    cut(&(line + &rest), columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_exceeds_the_width_and_drops_the_least_important_facts_first() {
        let mut task = Task::new(Some(100.0));
        task.advance(10, 1000, "steps");
        task.set_metric("perceptual/relu5_2", 0.125);
        for columns in [20, 40, 59, 79, 199] {
            for name in ["train", "a stage with a very long name@x-y-z", "日本語の名前"] {
                let line = line_of(name, width(name).min(columns / 3), &task, columns);
                assert!(width(&line) <= columns, "{line:?} in {columns}");
            }
        }
        let line = |columns| line_of("train", 5, &task, columns);
        assert!(line(199).contains("perceptual/relu5_2 0.1250") && line(199).contains("10 of 1000 steps"));
        assert!(!line(59).contains("perceptual") && line(59).contains("10 of 1000 steps"), "{}", line(59));
        assert!(line_of("train", 5, &Task::new(None), 79).ends_with("train  0.0 s"));
    }
}
