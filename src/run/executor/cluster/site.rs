//! Everything outside of the poller: the clock, Slurm, the files of jobs, and the results of other runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;

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
pub(super) type ReadNews = BTreeMap<(usize, String), ReadFiles>;

/// Files of news of one attempt that were read. They are numbered, but one may become visible before an earlier one.
#[derive(Default)]
pub(super) struct ReadFiles {
    /// All files with a smaller number were read.
    next: u64,
    later: BTreeSet<u64>,
}

impl ReadFiles {
    /// Returns true if the file with this number was read.
    pub(super) fn contains(&self, number: u64) -> bool {
        number < self.next || self.later.contains(&number)
    }

    /// Notes that a file was read.
    pub(super) fn add(&mut self, number: u64) {
        self.later.insert(number);
        while self.later.remove(&self.next) {
            self.next += 1;
        }
    }
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

    /// Reads the news of a submission that are not among `read`, and adds them to it. Each item has the position of a job.
    fn news(&mut self, dir: &JobDir, read: &mut ReadNews) -> Vec<(usize, Vec<TaskNews>)>;

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
    fn files_of_news_are_read_once_in_whatever_order_they_become_visible() {
        let mut read = ReadFiles::default();
        [0, 3, 1].into_iter().for_each(|number| read.add(number));
        assert_eq!([0, 1, 2, 3, 4].map(|number| read.contains(number)), [true, true, false, true, false]);
        read.add(2);
        assert_eq!((read.next, read.later.len()), (4, 0), "no number is kept for longer than necessary");
    }
}
