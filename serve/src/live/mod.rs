//! Events and logs of a run as they are written.

mod changes;
mod log;
mod stream;

pub(crate) use log::{log_since, whole_log};
pub(crate) use stream::{SincePosition, changes_since, events, last_position};
