//! Tasks: actions that travel to the nodes of a cluster, and the news that come back.

mod news;
mod own;
mod spec;

pub(super) use news::{NewsWriter, TaskEnd, TaskError, TaskNews, TaskUpdate, list_news};
pub(super) use own::{check_engine, check_owner, read_own};
pub(super) use spec::{Engine, FORMAT, JobDir, JobSpec, Task, TaskSpec};
