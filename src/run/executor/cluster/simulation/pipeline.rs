//! Pipeline of a simulation: a random graph of actions, some of them row-wise.

use std::fs;
use std::path::Path;

use super::random::Random;
use crate::declare::Project;
use crate::plan::{Plan, Request, resolve};
use crate::store::Store;
use crate::target::Target;

/// Number of actions between a stage and those that it reads from, at most.
const REACH: usize = 1500;

const WHOLE: &str = "summary = \"Reads two tables\"\nversion = 1\ncommand = [\"true\"]\n\
    [inputs.a]\nkind = \"table\"\noptional = true\ndoc = \"One\"\n\
    [inputs.b]\nkind = \"table\"\noptional = true\ndoc = \"Another\"\n\
    [outputs.table]\nkind = \"table\"\npath = \"table.parquet\"\ndoc = \"Table\"\n\
    [params.number]\ntype = \"int\"\ndefault = 0\ndoc = \"Makes results differ\"\n";

const ROWS: &str = "summary = \"Measures rows\"\nversion = 1\ncommand = [\"true\"]\n\
    [rows]\nkey = \"id\"\ninput = \"a\"\noutput = \"table\"\ncolumns = []\n\
    [inputs.a]\nkind = \"table\"\ndoc = \"Rows\"\n\
    [outputs.table]\nkind = \"table\"\npath = \"table.parquet\"\ndoc = \"Table\"\n\
    [params.number]\ntype = \"int\"\ndefault = 0\ndoc = \"Makes results differ\"\n";

/// Number of actions and rows, and of nodes that perform them.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct Size {
    pub actions: usize,
    pub row_actions: usize,
    /// Rows of each row-wise action.
    pub rows: usize,
    pub nodes: usize,
}

/// A project with a pipeline of random actions.
pub(in crate::run) struct Pipeline {
    pub project: Project,
    pub plan: Plan,
    pub store: Store,
    pub size: Size,
}

impl Pipeline {
    /// Writes the project into `folder`.
    pub(in crate::run) fn new(folder: &Path, size: Size, seed: u64) -> Self {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        };
        write("callsheet.toml", "");
        write("stages/whole/stage.toml", WHOLE);
        write("stages/rows/stage.toml", ROWS);
        write("pipelines/graph.toml", &graph(size, &mut Random::new(seed)));
        let project = Project::open(folder).expect("a project");
        let request = Request { target: Target::new("graph", "", ""), ..Request::default() };
        let plan = resolve(&project, &request).expect("a plan");
        let store = Store::of(&project).expect("a store");
        store.create().expect("created");
        Self { project, plan, store, size }
    }
}

/// Text of a pipeline. Row-wise actions are spread evenly over it.
fn graph(size: Size, random: &mut Random) -> String {
    let mut text = "summary = \"A graph\"\n".to_owned();
    let every = size.actions.checked_div(size.row_actions).unwrap_or(usize::MAX);
    for number in 0..size.actions {
        let is_rows = number % every == every - 1;
        let (kind, inputs) = if is_rows { ("rows", &["a"][..]) } else { ("whole", &["a", "b"][..]) };
        text += &format!("[stages.s{number}]\nuse = \"{kind}\"\nparams.number = {number}\n");
        for input in inputs {
            if number > 0 && (is_rows || random.chance(0.6)) {
                let from = number - 1 - random.below(number.min(REACH));
                text += &format!("inputs.{input} = \"s{from}.table\"\n");
            }
        }
    }
    text
}
