//! Everything outside of the poller: the clock, Slurm, the files of jobs, and the results of other runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use callsheet_worker::error::Result;

use super::live::LiveJob;
use super::queue::{Moment, Shape};
use super::row_state::{Done, RowAction};
use super::slurm::{End, Listed, Refusal};
use crate::declare::StageDecl;
use crate::run::action::Action;
use crate::run::executor::ActionId;
use crate::run::task::{JobDir, Task, TaskNews, TaskSpec};
use crate::store::LatestResult;

/// Files of news that were read, of each attempt at each job.
#[derive(Default)]
pub(super) struct ReadNews {
    attempts: BTreeMap<(usize, String), ReadFiles>,
    /// True if an earlier engine has read the first files and removed them.
    pub is_adopted: bool,
}

impl ReadNews {
    /// Files of an attempt at the job at `index`.
    pub(super) fn of(&mut self, index: usize, attempt: &str) -> &mut ReadFiles {
        let files = ReadFiles { next: 0, gap: None, has_gaps: self.is_adopted };
        self.attempts.entry((index, attempt.to_owned())).or_insert(files)
    }

    /// Forgets what was read of a job.
    pub(super) fn forget(&mut self, index: usize) {
        self.attempts.retain(|(known, _), _| *known != index);
    }
}

/// Files of news of one attempt that were read. They are numbered, but one may become visible before an earlier one.
pub(super) struct ReadFiles {
    /// Number of the next file.
    next: u64,
    /// Time since which the next file is missing although a later one is visible.
    gap: Option<Moment>,
    /// True if files were removed that an earlier engine has read.
    has_gaps: bool,
}

impl ReadFiles {
    /// Returns true if the file with this number is the next one, or if the next one has been missing for too long.
    pub(super) fn is_next(&mut self, number: u64, now: Moment) -> bool {
        if number <= self.next || self.has_gaps {
            return number >= self.next;
        }
        now.saturating_sub(*self.gap.get_or_insert(now)) >= LONGEST_GAP
    }

    /// Notes that a file was read.
    pub(super) fn add(&mut self, number: u64) {
        (self.next, self.gap) = (number + 1, None);
    }
}

/// Longest wait for a file of news after a later one of its attempt has become visible.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// News of an attempt at a job.
pub(super) struct JobNews {
    /// Position of the job in its array.
    pub index: usize,
    pub attempt: String,
    pub news: Vec<TaskNews>,
}

/// State of a task that another run had begun.
pub(super) enum OtherWork {
    /// Its result is in the store.
    Done(Arc<LatestResult>),
    /// This run performs it.
    Held(String),
    /// No other run performs it any more.
    Free,
}

/// Everything outside of the poller. A simulation implements it with virtual time.
pub(super) trait Site<'a> {
    /// Time since the run began.
    fn now(&self) -> Moment;

    /// Writes the files of a submission with this name, and submits its jobs. Returns the folder of the files, and the id of
    /// the array.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    fn submit(
        &mut self,
        name: &str,
        shape: &Shape,
        jobs: &[Vec<Task>],
    ) -> Result<(JobDir, Result<String, Refusal>)>;

    /// Lists the jobs of submissions with these names; `None` if the cluster does not answer now.
    ///
    /// # Errors
    /// Returns an error if the cluster can never be asked.
    fn list(&mut self, names: &[String]) -> Result<Option<Vec<Listed>>>;

    /// Ends arrays of jobs, or single jobs of them.
    ///
    /// # Errors
    /// Returns an error if the cluster can never be asked.
    fn end(&mut self, arrays: &[String], how: End) -> Result<()>;

    /// Reads the news of a submission that are not among `read`, and adds them to it.
    fn news(&mut self, dir: &JobDir, read: &mut ReadNews) -> Vec<JobNews>;

    /// Removes the files of a submission that the cluster has not accepted.
    fn discard(&mut self, dir: &JobDir);

    /// Returns true if the output of a job that ended without news says why.
    fn has_output(&self, dir: &JobDir, index: usize) -> bool;

    /// Marks a submission without live jobs: later runs need not look for them.
    fn close(&mut self, dir: &JobDir);

    /// Live jobs of earlier runs; `None` if the cluster does not answer now.
    ///
    /// # Errors
    /// Returns an error if the cluster can never be asked.
    fn live(&mut self) -> Result<Option<Vec<LiveJob>>>;

    /// Looks whether another run still performs a task.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    fn other_work(&mut self, spec: &TaskSpec, decl: &StageDecl) -> Result<OtherWork>;

    /// Returns true if the user has cancelled the run from elsewhere.
    fn is_cancelled(&mut self) -> bool;

    /// Looks up the rows of a row-wise action, and sends them.
    fn plan_rows(&mut self, id: ActionId, shape: Shape, action: Box<Action<'a>>, sender: Sender<Done<'a>>);

    /// Assembles the table of a row-wise action, reports its end, and sends that this is done.
    fn assemble(&mut self, id: ActionId, action: RowAction<'a>, sender: Sender<Done<'a>>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_news_are_read_in_order_and_a_gap_is_not_waited_for_forever() {
        let at = Duration::from_secs;
        let mut read = ReadNews::default();
        let files = read.of(0, "a");
        assert!(!files.is_next(1, at(0)) && files.is_next(0, at(1)));
        files.add(0);
        assert!(!files.is_next(0, at(2)) && files.is_next(1, at(2)));
        files.add(1);
        assert!(!files.is_next(3, at(10)) && !files.is_next(3, at(50)) && files.is_next(3, at(80)));
        let mut read = ReadNews { is_adopted: true, ..ReadNews::default() };
        assert!(read.of(0, "a").is_next(7, at(0)), "the engine that was killed has read the others");
        read.of(0, "a").add(7);
        assert!(!read.of(0, "a").is_next(7, at(0)) && read.of(0, "a").is_next(9, at(0)));
    }
}
