//! State of a run according to its events. A run that has not ended has no other record.

use std::collections::BTreeMap;

use crate::event::{Event, LogLine, read_log};
use crate::store::{RunRecord, StageResult, StageState, Store};
use crate::target::Target;

/// Run according to its events.
pub(super) struct RunLog {
    /// Record of the run, up to its last event.
    pub run: RunRecord,
    /// Number of stages in the run's plan.
    pub planned: usize,
    /// Error messages of the stages that failed.
    pub messages: BTreeMap<String, String>,
}

impl RunLog {
    /// Reads the events of the run `id`. Skips a truncated line.
    pub(super) fn read(store: &Store, id: &str) -> Self {
        let run = RunRecord {
            id: id.to_owned(),
            target: Target::default(),
            set: Vec::new(),
            seconds: 0.0,
            stages: BTreeMap::new(),
        };
        let mut told = Self { run, planned: 0, messages: BTreeMap::new() };
        // Most lines are events that workers reported; they are not used here, so they are not parsed.
        let lines = read_log(&store.run_dir(id).events(), |line| !line.contains("\"event\":\"worker\""));
        lines.for_each(|line| told.hear(line));
        told
    }

    fn hear(&mut self, LogLine { at, event }: LogLine) {
        self.run.seconds = at;
        let (stage, state, key) = match event {
            Event::RunStarted { pipeline, dataset, profile, set, stages, .. } => {
                self.planned = stages;
                self.run =
                    RunRecord { target: Target { pipeline, dataset, profile }, set, ..self.run.clone() };
                return;
            }
            Event::Cached { stage, key } => (stage, StageState::Cached, Some(key)),
            Event::Finished { stage, key, .. } => (stage, StageState::Ran, Some(key)),
            // The key in this event names a result that is not computed yet.
            Event::Started { stage, .. } => (stage, StageState::Running, None),
            Event::Failed { stage, message, .. } => {
                self.messages.insert(stage.clone(), message);
                (stage, StageState::Failed, None)
            }
            Event::Stopped { stage } => (stage, StageState::Stopped, None),
            Event::Blocked { stage, .. } => (stage, StageState::Blocked, None),
            _ => return,
        };
        self.run.stages.insert(stage, StageResult { state, key });
    }
}
