//! State of the server. The project is read again for each page, so that a page always shows its present state.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use callsheet::declare::Project;
use callsheet::listing::list_stages;
use callsheet::plan::{Plan, Request, resolve};
use callsheet::run::{StagePreview, StoreSnapshot, check_owner, count_rows, machine, preview};
use callsheet::store::{Sources, Store};
use callsheet_worker::error::Result;

use shell_words::quote;

use crate::secret::Secret;
use crate::tables::OpenTables;
use crate::thumbnails::ThumbnailCache;
use crate::verdicts::KeptVerdicts;

/// State of the server.
pub(crate) struct App {
    /// Folder of the project.
    pub root: PathBuf,
    /// Pipeline, dataset and profile, as far as the command line names them.
    pub names: [Option<String>; 3],
    /// Name or address under which other machines reach the server.
    pub host: String,
    pub port: u16,
    pub secret: Secret,
    pub tables: OpenTables,
    pub thumbnails: ThumbnailCache,
    pub verdicts: KeptVerdicts,
    /// True if pages can change verdicts.
    pub writes: bool,
    /// Start of the server, in seconds since 1970.
    pub started: u64,
    /// Held while raw files are hashed, so that several pages do not hash one file at the same time.
    pub hashing: Mutex<()>,
    /// Codes of links that were opened.
    pub used: Mutex<BTreeSet<String>>,
}

/// Seconds in which a link can be opened.
const LINK_SECONDS: u64 = 3600;

/// Reason why a link is refused.
pub(crate) enum LinkProblem {
    /// Its code is missing or is not one of this server.
    Unknown,
    /// It was opened before.
    Used,
    /// It is older than an hour, or than the server.
    Old,
}

/// A project and its store.
pub(crate) struct Workspace {
    pub project: Project,
    pub store: Store,
}

/// Plan of the selected pipeline, and the predicted state of each stage.
pub(crate) struct Planned {
    pub plan: Plan,
    pub stages: Vec<StagePreview>,
}

impl App {
    /// Name of the cookie. Browsers send a cookie to all ports of a host, so each server has a name of its own.
    pub(crate) fn cookie_name(&self) -> String {
        format!("callsheet_{}", self.port)
    }

    /// Command for a terminal that prints what a page shows, with the options that select the pipeline.
    pub(crate) fn command(&self, words: &str) -> String {
        let options = ["--pipeline", "--dataset", "--profile"].iter().zip(&self.names);
        let options = options.filter_map(|(name, value)| Some(format!(" {name} {}", quote(value.as_ref()?))));
        format!("callsheet {words}{}", options.collect::<String>())
    }

    /// Accepts the code of a link once. Codes from before the start of the server may have been used, so they are too old.
    pub(crate) fn use_code(&self, code: &str) -> std::result::Result<(), LinkProblem> {
        let made = self.secret.made(code).ok_or(LinkProblem::Unknown)?;
        if made < self.started || seconds_now().abs_diff(made) >= LINK_SECONDS {
            return Err(LinkProblem::Old);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.insert(code.to_owned()) { Ok(()) } else { Err(LinkProblem::Used) }
    }

    /// Reads the project.
    ///
    /// # Errors
    /// Returns an error if its settings or its store cannot be read.
    pub(crate) fn workspace(&self) -> Result<Workspace> {
        let project = Project::open(&self.root)?;
        let store = Store::of(&project)?;
        Ok(Workspace { project, store })
    }

    /// Returns the pipeline, dataset and profile of the server.
    ///
    /// # Errors
    /// Returns an error if no pipeline is selected.
    pub(crate) fn request(&self, project: &Project) -> Result<Request> {
        Request::new(project, self.names.clone(), Vec::new())
    }

    /// Resolves the selected pipeline, and predicts what a run would do. As `callsheet plan`, this runs stages that only list
    /// rows, if `enumerate` is true.
    ///
    /// # Errors
    /// Returns an error if a declaration is invalid, or a raw file cannot be read.
    pub(crate) fn planned(
        &self,
        Workspace { project, store }: &Workspace,
        enumerate: bool,
    ) -> Result<Planned> {
        let request = self.request(project)?;
        let plan = resolve(project, &request)?;
        let snapshot = StoreSnapshot::new(store, &project.data, &request.target, |_, _| {});
        check_owner(project, &request.target.pipeline, snapshot.project())?;
        let mut sources = {
            let _one = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut sources = Sources::load(store, &project.root);
            sources.learn(&plan.raw_files(), |_, _| true);
            // As in `callsheet plan`: digests are kept, and a store that cannot be written does no harm.
            let _ = store.exists().then(|| sources.save(store));
            sources
        };
        if enumerate {
            let stages =
                list_stages(project, store, &plan, &snapshot, &mut sources, &machine(None, None, None))?;
            return Ok(Planned { plan, stages });
        }
        let mut stages = preview(store, &mut sources, &snapshot, &plan)?;
        count_rows(store, &mut sources, &plan, &mut stages)?;
        Ok(Planned { plan, stages })
    }
}

/// Seconds since 1970.
pub(crate) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
