//! Tests of the scheduler with the mock executor; no process is started.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::declare::Project;
use crate::plan::{Plan, Request, resolve};
use crate::run::context::LazySandbox;
use crate::run::executor::mock::{Log, Mock};
use crate::store::Store;
use crate::target::Target;

const STAGE: &str = "summary = \"LayerPolicy\"\nversion = 1\ncommand = [\"true\"]\n\
    [inputs.a]\nkind = \"file\"\noptional = true\ndoc = \"One\"\n\
    [inputs.b]\nkind = \"file\"\noptional = true\ndoc = \"Another\"\n\
    [outputs.sum]\nkind = \"file\"\npath = \"sum.txt\"\ndoc = \"Sum\"\n\
    [params.number]\ntype = \"int\"\ndefault = 0\ndoc = \"Makes results differ\"\n";

/// A project with one pipeline of given stages, each given with the stages that it reads from.
struct Case {
    _folder: TempDir,
    project: Project,
    plan: Plan,
    store: Store,
}

impl Case {
    fn new(stages: &[(&str, &[&str])]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        };
        write("callsheet.toml", "");
        write("stages/add/stage.toml", STAGE);
        let mut text = "summary = \"A graph\"\n".to_owned();
        for (number, (name, reads)) in stages.iter().enumerate() {
            text += &format!("[stages.{name}]\nuse = \"add\"\nparams.number = {number}\n");
            for (input, from) in ["a", "b"].iter().zip(*reads) {
                text += &format!("inputs.{input} = \"{from}.sum\"\n");
            }
        }
        write("pipelines/graph.toml", &text);
        let project = Project::open(folder.path()).expect("a project");
        let request = Request { target: Target::new("graph", "", ""), ..Request::default() };
        let plan = resolve(&project, &request).expect("a plan");
        let store = Store::of(&project).expect("a store");
        Self { _folder: folder, project, plan, store }
    }

    fn run(&self, executor: Mock, options: &RunOptions) -> RunSummary {
        let run = Run {
            project: &self.project,
            store: &self.store,
            plan: &self.plan,
            id: "run".into(),
            replaces: None,
            keep_failed: false,
            job: None,
            sandbox: LazySandbox::default(),
        };
        let mut sources = Sources::load(&self.store, &self.project.root);
        let snapshot =
            StoreSnapshot::new(&self.store, &self.project.data, &self.plan.request.target, |_, _| {});
        Scheduler::new(&run, options, &mut sources, &snapshot, |_: &Event| {}, executor).schedule()
    }
}

fn options() -> RunOptions {
    RunOptions { ephemeral: true, ..RunOptions::default() }
}

fn lines(log: &Log) -> Vec<String> {
    log.borrow().clone()
}

#[test]
fn stages_start_after_their_inputs_and_the_longest_chain_first() {
    let case =
        Case::new(&[("short", &[]), ("long", &[]), ("middle", &["long"]), ("last", &["middle", "short"])]);
    let executor = Mock::new(1);
    let log = executor.log.clone();
    let summary = case.run(executor, &options());
    assert_eq!((summary.ran, summary.cached, summary.failed.len()), (4, 0, 0));
    let started: Vec<String> = lines(&log).into_iter().filter(|line| line.starts_with("start")).collect();
    assert_eq!(started, ["start long", "start short", "start middle", "start last"]);
}

#[test]
fn an_executor_takes_as_many_actions_as_its_capacity_allows() {
    let case = Case::new(&[("a", &[]), ("b", &[]), ("c", &[])]);
    let executor = Mock::new(2);
    let log = executor.log.clone();
    case.run(executor, &options());
    assert_eq!(lines(&log), ["start a", "start b", "end a", "start c", "end b", "end c"]);
}

#[test]
fn stages_after_a_failed_stage_are_not_started_and_others_are() {
    let case = Case::new(&[("bad", &[]), ("after", &["bad"]), ("good", &[]), ("next", &["good"])]);
    let executor = Mock::new(4).with(|mock| mock.failing = vec!["bad"]);
    let log = executor.log.clone();
    let summary = case.run(executor, &options());
    assert_eq!(summary.failed.iter().map(|(stage, _)| stage.as_str()).collect::<Vec<_>>(), ["bad"]);
    assert_eq!(summary.ran, 2);
    assert!(!lines(&log).contains(&"start after".to_owned()));
}

#[test]
fn with_fail_fast_a_failure_stops_running_stages() {
    let case = Case::new(&[("bad", &[]), ("other", &[]), ("next", &["other"])]);
    let executor = Mock::new(2).with(|mock| mock.failing = vec!["bad"]);
    let log = executor.log.clone();
    let summary = case.run(executor, &RunOptions { fail_fast: true, ..options() });
    assert!(summary.stopped && summary.ran == 1, "only `other`");
    // `other` starts first, because it begins a longer chain than `bad`.
    assert_eq!(
        lines(&log),
        ["start other", "start bad", "end other", "start next", "end bad", "stop clean", "end next"]
    );
}

#[test]
fn an_interrupt_stops_cleanly_and_the_second_one_at_once() {
    let case = Case::new(&[("a", &[]), ("b", &[]), ("c", &["a"])]);
    let executor = Mock::new(2).with(|mock| mock.interrupts = vec![0, 0]);
    let log = executor.log.clone();
    let summary = case.run(executor, &options());
    assert!(summary.stopped && summary.ran == 0);
    assert_eq!(lines(&log), ["start a", "start b", "stop clean", "stop now", "end a", "end b"]);
}

#[test]
fn a_stage_that_no_machine_serves_fails_before_it_is_offered() {
    let case = Case::new(&[("huge", &[]), ("small", &[])]);
    let executor = Mock::new(2).with(|mock| mock.unfit = vec!["huge"]);
    let log = executor.log.clone();
    let summary = case.run(executor, &options());
    assert_eq!(summary.failed[0].1.kind(), callsheet_worker::code::Code::Resources);
    assert_eq!(lines(&log), ["start small", "end small"]);
}

#[test]
fn an_executor_can_take_thousands_of_actions_before_one_ends() {
    let names: Vec<String> = (0..3000).map(|n| format!("s{n}")).collect();
    let stages: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let case = Case::new(&stages);
    let executor = Mock::new(3000);
    let log = executor.log.clone();
    assert_eq!(case.run(executor, &options()).ran, 3000);
    let lines = lines(&log);
    assert!(lines[..3000].iter().all(|line| line.starts_with("start")), "all are taken before one ends");
}
