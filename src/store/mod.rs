//! The store: objects by content digest, one record per action, runs, scratch folders, locks.
//!
//! ```text
//! objects/ab/abcd…        an artifact under the digest of its bytes, read-only
//! actions/abcd….json      what an action made of what ([`Record`])
//! heads/<pipeline>/<dataset>.json   the latest action of each stage ([`Head`]), packed
//! runs/<id>/              a run: run.json, events.ndjson, what its workers wrote in logs/, drew in images/, and
//!                         measured in tensorboard/
//! rows/<pool>/abcd…       digests of the rows of a segment ([`Segment`])
//! scratch/abcd…/          checkpoints of long stages
//! actions/abcd….draft     held while an action runs; dies with its process, becomes the record
//! locks/                  locks of runs and scratch folders
//! staging/<run>/          being written; moved into place by a rename
//! pins/<name>.json        keys that are never garbage
//! sources.json            digests of raw files by path, inode, size, mtime and ctime
//! ```
//!
//! Nothing here is ever half-visible. Artifacts are written to `staging/`, renamed, and on the disk
//! ([`Store::sync`]) before a record names them. JSON is renamed into place without being synced: a
//! power cut leaves it whole, old, or unreadable, and to a cache that is a miss.

mod cpu;
mod digest;
mod files;
mod gc;
mod heads;
mod inventory;
mod lock;
mod object;
mod orphans;
mod pending;
mod pin;
mod place;
mod provenance;
mod record;
mod root;
mod rows;
mod run_dir;
mod runs;
mod scratch;
mod sources;
mod staging;
mod state;
mod sync;
mod verify;
mod view;

pub use cpu::cpu_kind;
pub use digest::{digest_directory, digest_file, digest_named};
pub use gc::Garbage;
pub use heads::{Head, Heads};
pub use inventory::Inventory;
pub use lock::{Lock, LockName};
pub use object::Object;
pub use orphans::Orphan;
pub use place::LocalPath;
pub use provenance::Provenance;
pub use record::Record;
pub use root::{FORMAT, Store};
pub use rows::{RowDigests, Segment};
pub use run_dir::RunDir;
pub use runs::{RunRecord, StageResult, position, run_id};
pub use scratch::Scratch;
pub use sources::{Sources, Watch, name_below};
pub use staging::Staging;
pub use state::StageState;
pub use verify::Damage;
pub use view::out;
