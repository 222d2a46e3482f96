//! A store that several users and machines share. Its files are seen by programs on other machines, where locks do not
//! exclude and names are stale for seconds. So:
//!
//! - results are committed any number of times and in any order: the first complete record of an action stays;
//! - leases only save work. They are files that are created exclusively, and their holders prove that they live by
//!   heartbeats;
//! - news has a name that nobody has asked for before, and is found by listing a folder;
//! - nothing but garbage collection and `verify --heal` removes an object, a segment or the folder of an attempt.
//!
//! ```text
//! leases/ab/abcd….3        lease on an action, on checkpoints or on rows ([`lease`])
//! leases/ab/abcd….3.json   record with which the holder of this lease ended: a fresh name of `actions/abcd….json`
//! holders/<run>.17         heartbeat of a run, with its progress ([`heartbeat`])
//! diverged/abcd….<run>     record of an action that computed another result than the first one
//! scratch/abcd…/2.<run>/   checkpoints of an attempt ([`attempt`])
//! workspaces/<id>.5        project that uses the store, and what it needs ([`workspaces`])
//! intents/<run>.12         what a run relies on ([`intents`])
//! removals/<time>/         what garbage collection has set aside ([`sweep`])
//! workers/<stage>.1/<digest>  program that computed this stage version ([`workers`])
//! store.toml               settings ([`settings`])
//! ```

pub(super) mod access;
pub(super) mod attempt;
pub(super) mod check;
pub(super) mod detach;
mod heartbeat;
mod intents;
pub(super) mod lease;
mod leftovers;
mod process;
mod settings;
pub(super) mod sharing;
pub(super) mod status;
pub(super) mod sweep;
mod watch;
mod workers;
pub(super) mod workspaces;
