//! Keeps what happens in a run, once anything does.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::tensorboard::TensorBoard;
use crate::event::Event;

/// What workers say is written out when so much time has passed since the last time; the rest at once.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Writes events to a file, one JSON object a line, with the seconds since the run began; what is measured
/// and drawn, to TensorBoard's files as well.
pub struct Recorder {
    path: PathBuf,
    tensorboard: TensorBoard,
    clock: Instant,
    file: Option<BufWriter<File>>,
    flushed: Instant,
}

#[derive(Serialize)]
struct Line<'a> {
    at: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Recorder {
    /// A recorder into the folder of a run.
    pub fn new(folder: PathBuf) -> Self {
        let now = Instant::now();
        let path = folder.join("events.ndjson");
        Self { path, tensorboard: TensorBoard::new(folder), clock: now, file: None, flushed: now }
    }

    /// Keeps an event. Results that were found are in `run.json`: a run that only finds leaves nothing.
    pub fn keep(&mut self, event: &Event) {
        if matches!(event, Event::RunStarted { .. } | Event::Hashing { .. } | Event::Cached { .. }) {
            return;
        }
        if matches!(event, Event::RunFinished { .. }) && self.file.is_none() {
            return;
        }
        // A log that cannot be written is no reason to stop a run: what fails for want of room says so.
        let _ = self.write(event).and(self.tensorboard.tell(event));
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
                none.insert(BufWriter::new(File::create(&self.path)?))
            }
        };
        let line = Line { at: self.clock.elapsed().as_secs_f64(), event };
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
        if self.flushed.elapsed() > FLUSH_EVERY || !matches!(event, Event::Worker { .. }) {
            self.flushed = Instant::now();
            file.flush()?;
            self.tensorboard.flush()?;
        }
        Ok(())
    }
}
