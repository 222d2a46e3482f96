//! Pipeline, dataset and profile that a user selects, with the defaults of the project.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list};

use crate::declare::Project;
use crate::target::Target;

/// Folder in `data/out` for the results of single runs.
pub const RUNS: &str = "runs";

/// Pipeline, dataset, profile and `--set` options that a user wants to plan.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Names of the files of pipeline, dataset and profile.
    pub target: Target,
    /// `--set` options in the form `stage.param=value`, as typed.
    pub set: Vec<String>,
}

impl Request {
    /// Returns the request for a pipeline, a dataset and a profile, or their defaults, with overrides.
    ///
    /// # Errors
    /// Returns an error if no pipeline is selected, or its name is reserved.
    pub fn new(project: &Project, names: [Option<String>; 3], set: Vec<String>) -> Result<Self> {
        let [pipeline, dataset, profile] = names;
        let target = Target {
            pipeline: pipeline.unwrap_or_else(|| default_pipeline(project)),
            dataset: dataset.unwrap_or_else(|| project.defaults.dataset.clone()),
            profile: profile.unwrap_or_else(|| project.defaults.profile.clone()),
        };
        if target.pipeline.is_empty() {
            let known = project.pipeline_names();
            let folder = project.pipelines.display();
            let (message, help) = match known.is_empty() {
                true => (
                    format!("{folder}/ contains no pipeline"),
                    format!("write {folder}/NAME.toml, or run `callsheet new stage NAME`"),
                ),
                false => (
                    "no pipeline is selected".to_owned(),
                    format!(
                        "use --pipeline, or set `pipeline` under [defaults] in callsheet.toml (known: {})",
                        list(known.iter().map(String::as_str))
                    ),
                ),
            };
            return Err(Error::user_error(Code::MissingArgument, message, help));
        }
        if target.pipeline == RUNS {
            return Err(Error::user_error(
                Code::Conflict,
                "a pipeline cannot have the name `runs`, because data/out/runs has the results of single runs",
                "rename the file of the pipeline",
            ));
        }
        Ok(Self { target, set })
    }
}

/// Returns the pipeline that callsheet.toml names, else the only one that exists; empty if there is neither.
fn default_pipeline(project: &Project) -> String {
    if !project.defaults.pipeline.is_empty() {
        return project.defaults.pipeline.clone();
    }
    let mut names = project.pipeline_names();
    if names.len() == 1 { names.remove(0) } else { String::new() }
}
