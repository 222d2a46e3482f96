//! Changes of stages that a page shows, from lines of `events.ndjson`.

use std::collections::BTreeMap;

use callsheet::event::{Event, LogLine};
use callsheet_figures::label::human_seconds;
use callsheet_worker::protocol::WorkerEvent;
use serde::Serialize;

/// Change of a stage. Values that did not change are missing.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct StageChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<String>,
}

/// Changes of stages by stage instance.
pub(crate) type Changes = BTreeMap<String, StageChange>;

/// Adds the changes in these lines, of which the last one of each stage counts. Returns true if the run has ended.
pub(crate) fn add_changes(changes: &mut Changes, lines: &str) -> bool {
    let mut ended = false;
    for LogLine { event, .. } in lines.lines().filter_map(|line| serde_json::from_str::<LogLine>(line).ok()) {
        let mut set = |stage: String, state: &'static str, progress: String| {
            let change = changes.entry(stage).or_default();
            (change.state, change.progress) = (Some(state), Some(progress));
        };
        match event {
            Event::Cached { stage, .. } => set(stage, "cached", String::new()),
            Event::Started { stage, reasons, .. } => set(stage, "running", reasons.join("; ")),
            Event::Failed { stage, message, .. } => set(stage, "failed", message),
            Event::Stopped { stage } => set(stage, "stopped", String::new()),
            Event::Blocked { stage, by } => set(stage, "blocked", format!("by {by}")),
            Event::Finished { stage, seconds, .. } => {
                set(stage.clone(), "ran", String::new());
                changes.entry(stage).or_default().duration = Some(human_seconds(seconds));
            }
            Event::Retrying { stage, message, .. } => {
                changes.entry(stage).or_default().progress = Some(message)
            }
            Event::Worker { stage, said: WorkerEvent::Progress { done, total, unit } } => {
                changes.entry(stage).or_default().progress = Some(progress(done, total, &unit));
            }
            Event::RunFinished { .. } => ended = true,
            _ => {}
        }
    }
    ended
}

fn progress(done: u64, total: u64, unit: &str) -> String {
    if total > 0 { format!("{done} of {total} {unit}") } else { format!("{done} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_each_stage_counts() {
        let key = "0".repeat(64);
        let lines = [
            format!(r#"{{"at":0.1,"event":"cached","stage":"a","key":"{key}"}}"#),
            format!(r#"{{"at":0.2,"event":"started","stage":"b","key":"{key}","course":"{key}","resumes":false,"reasons":["never ran"]}}"#),
            r#"{"at":0.3,"event":"worker","stage":"b","said":{"progress":{"done":3,"total":9,"unit":"rows"}}}"#.to_owned(),
            r#"{"at":0.4,"event":"worker","stage":"b","said":{"progress":{"done":4,"total":9,"unit":"rows"}}}"#.to_owned(),
            "damaged".to_owned(),
        ];
        let mut found = Changes::new();
        let ended = add_changes(&mut found, &lines.join("\n"));
        let of = |state, progress: &str| StageChange {
            state: Some(state),
            progress: Some(progress.to_owned()),
            duration: None,
        };
        assert_eq!(
            found,
            Changes::from([
                ("a".to_owned(), of("cached", "")),
                ("b".to_owned(), of("running", "4 of 9 rows"))
            ])
        );
        assert!(!ended);
    }
}
