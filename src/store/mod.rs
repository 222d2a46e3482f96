//! The store: objects by the digest of their bytes, one record per action, runs, scratch folders, locks.
//!
//! ```text
//! objects/ab/abcd…        an artifact under the digest of its bytes, read-only
//! actions/abcd….json      key, outputs and provenance of an action ([`Record`])
//! latest/<pipeline>/<dataset>/<profile>.json   the latest action of each stage ([`LatestResult`]), in one file
//! runs/<id>/              a run: run.json, events.ndjson, and its workers' logs/, images/ and tensorboard/
//! rows/<pool>/abcd…       digests of the rows of a segment ([`Segment`])
//! scratch/abcd…/          checkpoints of long stages
//! actions/abcd….draft     lock of a running action, which ends with its process; becomes the record
//! locks/                  all other locks ([`LockName`])
//! serve/                  secret and address of the web UI ([`Store::serve_folder`])
//! staging/<run>/          files that are being written; a rename moves them into place
//! pins/<name>.json        keys of results that are never garbage
//! traces/<pipeline>/<dataset>/<profile>.json   reads of the last run with nothing to do ([`UpToDateRun`])
//! sources.json            digests of raw files by path, inode, size, mtime and ctime
//! ```
//!
//! No reader ever sees a half-written file. Artifacts are written to `staging/`, renamed into place, and
//! synced to disk ([`Store::sync`]) before a record names them. JSON is renamed into place without a sync:
//! after a power cut it is complete, old or unreadable, and the cache treats an unreadable file as a miss.

mod claim;
mod commit;
mod cpu;
mod digest;
mod files;
mod gc;
mod half;
mod inventory;
mod latest;
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
mod seal;
mod shared;
mod sources;
mod staging;
mod stamp;
mod state;
mod stored_tree;
mod sync;
mod tail;
mod tree;
mod unchanged;
mod verify;
mod view;

pub use claim::Claim;
pub use commit::{Committed, Divergence};
pub use cpu::cpu_kind;
pub use digest::{digest_file, digest_named};
pub use files::{move_folder, remove_folder};
pub use gc::Garbage;
pub use inventory::Inventory;
pub use latest::{LatestResult, LatestResults};
pub use lock::{Lock, LockName};
pub use object::Object;
pub use orphans::Orphan;
pub use place::LocalPath;
pub use provenance::Provenance;
pub use record::Record;
pub use root::{FORMAT, SHARED_FORMAT, Store};
pub use rows::{RowDigests, Segment};
pub use run_dir::{OF_JOB, RunDir};
pub use runs::{RunRecord, StageResult, position};
pub use scratch::Scratch;
pub use shared::check::{Kept, StoreCheck, check_store};
pub use shared::detach::CopiedResults;
pub use shared::status::{SharedProject, SharedRun, SharedStatus};
pub use shared::sweep::Sweep;
pub use shared::workspaces::Workspace;
pub use sources::{Sources, Watch, name_below};
pub use staging::Staging;
pub use state::StageState;
pub use tail::Tail;
pub use tree::open_to_owner;
pub use unchanged::UpToDateRun;
pub use verify::Damage;
pub use view::{hide_all, hide_except};
