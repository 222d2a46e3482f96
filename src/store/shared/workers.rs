//! Worker programs by the stage versions that they computed. Two programs of one stage version, for example on two
//! machines with different installations, may compute different results under one key.

use std::fs::{self, File};
use std::io::Write;

use callsheet_worker::digest::Digest;

use super::sharing::Sharing;
use crate::store::files::{create_below, entries};
use crate::store::record::Record;
use crate::store::root::Store;

/// Folder of the worker programs: `workers/<stage>.<version>/<digest>`, with the machine that used a program first.
const WORKERS: &str = "workers";

impl Store {
    /// Returns a warning if the program that computed this record is new to the shared store, and its stage version was
    /// computed by another program before.
    pub fn other_workers(&self, record: &Record) -> Option<String> {
        let sharing = self.sharing.as_ref()?;
        let (stage, version) = (&record.key.stage, record.key.version);
        let others = sharing.other_hosts(
            &format!("{stage}.{version}"),
            &record.provenance.worker?,
            &record.provenance.host,
        );
        let hosts = others?.join(", ");
        Some(format!(
            "version {version} of stage `{stage}` was computed by another program before (on {hosts}), so results may \
             differ; install one version of the program everywhere, or increase `version` in stage.toml"
        ))
    }
}

impl Sharing {
    /// Adds a program, and returns the machines of others; `None` if the program was known, or is the first one. A
    /// warning is not worth an error, so a store that cannot be written gives none.
    fn other_hosts(&self, stage: &str, worker: &Digest, host: &str) -> Option<Vec<String>> {
        let folder = self.root.join(WORKERS).join(stage);
        create_below(&self.root, &folder).ok()?;
        let own = folder.join(worker.to_string());
        File::create_new(&own).and_then(|mut file| file.write_all(host.as_bytes())).ok()?;
        let others = entries(&folder).ok()?.into_iter().filter(|path| *path != own);
        let hosts: Vec<String> = others.map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
        (!hosts.is_empty()).then_some(hosts)
    }
}
