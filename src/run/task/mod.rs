//! Tasks: actions that travel to the nodes of a cluster, and the news that come back.

mod news;
mod spec;

pub(super) use news::{NewsFile, NewsWriter, TaskEnd, TaskError, TaskNews, TaskUpdate, list_news};
pub(super) use spec::{Engine, FORMAT, JobDir, JobSpec, Task, TaskSpec, VERSION};
