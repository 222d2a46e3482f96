//! The engine through the real binary, on toy stages written in shell and Python.

use crate::snapshot::assert_output;
use crate::support::Project;

#[test]
fn a_second_run_does_nothing_and_reports_that() {
    let project = Project::new();
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    let again = project.run(&[]);
    assert_eq!(again.ran(), [""; 0]);
    assert_output!(again.stderr_of_lines(&project));
}

#[test]
fn a_changed_parameter_runs_its_stage_and_what_depends_on_it() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "double.times=3"]).ran(), ["double", "sum"]);
    assert_eq!(
        project.run(&["--set", "double.times=2"]).ran(),
        [""; 0],
        "the old result is still in the store"
    );
}

#[test]
fn an_unchanged_output_reruns_no_downstream_stage() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "make.comment=\"other\""]).ran(), ["make"]);
}

#[test]
fn an_execution_parameter_never_invalidates_a_result() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "double.chatty=true"]).ran(), [""; 0]);
}

#[test]
fn a_touched_source_invalidates_nothing_but_a_changed_one_does() {
    let project = Project::new();
    project.run(&[]);
    project.write("data/raw/toy/numbers.txt", "1\n2\n3\n");
    assert_eq!(project.run(&[]).ran(), [""; 0], "equal bytes with a new time stamp");
    project.write("data/raw/toy/numbers.txt", "1\n2\n4\n");
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
}

#[test]
fn an_edited_script_runs_its_stage() {
    let project = Project::new();
    project.run(&[]);
    let script = project.read("stages/sum/sum.py");
    project.write("stages/sum/sum.py", &format!("{script}# edited\n"));
    assert_eq!(project.run(&[]).ran(), ["sum"]);
}

#[test]
fn deleting_the_store_is_safe() {
    let project = Project::new();
    project.run(&[]);
    project.remove("data/store");
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    assert_eq!(project.read("data/out/chain/toy/small/sum/total.txt").trim(), "12");
}

#[test]
fn a_damaged_or_vanished_object_is_a_miss() {
    let project = Project::new();
    project.run(&[]);
    let object = project.artifact("double.doubled");
    project.remove_file(&object);
    assert_eq!(project.run(&[]).ran(), ["double"], "the total did not change");
    project.overwrite(&object, "tampered with, and longer\n");
    assert_eq!(project.run(&[]).ran(), ["double"]);
    project.overwrite(&object, "2\n");
    assert_eq!(project.run(&[]).ran(), ["double"], "the object is truncated");
}

#[test]
fn a_bumped_version_runs_its_stage_and_the_plan_names_both_versions() {
    let project = Project::new();
    project.run(&[]);
    let declared = project.read("stages/double/stage.toml");
    let bumped = declared.replace("version = 1", "version = 2\nhistory.2 = \"rounds differently\"");
    project.write("stages/double/stage.toml", &bumped);
    assert_output!(project.stdout(&["plan"]));
    assert_eq!(project.run(&[]).ran(), ["double"], "its output is unchanged, so `sum` does not run");
    project.write("stages/double/stage.toml", &declared.replace("version = 1", "version = 3"));
    assert_output!(project.refused("declaration", &["plan"]));
}

#[test]
fn whatever_a_worker_sees_is_in_the_key() {
    let project = Project::new();
    project.write(
        "stages/names/names.py",
        "import json, sys\nr = json.load(open(sys.argv[1]))\n\
        open(r['outputs']['out'], 'w').write(' '.join(r['inputs']['files']['names']))\n",
    );
    project.write(
        "stages/names/stage.toml",
        "summary = \"Names\"\nversion = 1\ncommand = [\"python3\", \"names.py\"]\n\
        [inputs.files]\nkind = \"files\"\ndoc = \"Any\"\n\
        [outputs.out]\nkind = \"file\"\npath = \"out.txt\"\ndoc = \"Their names\"\n",
    );
    let pipeline = |path: &str, from: &str| {
        let text = format!(
            "summary = \"Names\"\n[sources.mine]\npath = \"{path}\"\n[stages.make]\ninputs.numbers = \"mine\"\n\
            [stages.names]\ninputs.files = \"{from}\"\n"
        );
        project.write("pipelines/names.toml", &text);
        let run = project.run(&["-p", "names"]);
        (run.ran().contains(&"names"), project.read("data/out/names/toy/small/names/out.txt"))
    };
    assert_eq!(pipeline("data/raw/toy/*.txt", "mine"), (true, "numbers.txt".to_owned()));
    assert_eq!(pipeline("data/raw/*/*.txt", "mine"), (true, "toy/numbers.txt".to_owned()));
    assert_eq!(pipeline("data/raw/*/*.txt", "make.kept"), (true, "kept.txt".to_owned()));
    let declared = project.read("stages/make/stage.toml");
    project.write("stages/make/stage.toml", &declared.replace("kept.txt", "held.txt"));
    assert_eq!(pipeline("data/raw/*/*.txt", "make.kept"), (true, "held.txt".to_owned()));
}

#[test]
fn a_stand_in_is_named_and_footage_takes_its_place() {
    let project = Project::new();
    project.remove("data/raw/toy");
    let run = project.run(&[]);
    assert_eq!(run.ran(), ["invent", "make", "double", "sum"]);
    assert_output!(project.stdout(&["ls"]));
    project.write("data/raw/toy/numbers.txt", "5\n");
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    assert_output!(project.stdout(&["ls"]));
}

#[test]
fn a_failure_quotes_the_worker_and_publishes_nothing() {
    let project = Project::new();
    assert_output!(project.run_failing("worker_failed", &["--set", "double.times=13"]));
    assert!(!project.exists("data/out/chain/toy/small/double"));
    assert_eq!(project.run(&[]).ran(), ["double", "sum"], "the result of `make` is kept");
}

#[test]
fn a_missing_or_undeclared_output_is_an_error() {
    let project = Project::new();
    assert_output!(project.run_failing("worker_output", &["--set", "double.misbehave=forget"]));
    assert_output!(project.run_failing("worker_output", &["--set", "double.misbehave=litter"]));
    // An empty file is not a valid result.
    project.write("data/raw/toy/numbers.txt", "");
    assert_output!(project.run_failing("worker_output", &[]));
}

#[test]
fn a_plan_predicts_the_run() {
    let project = Project::new();
    project.run(&[]);
    assert_output!(project.stdout(&["plan", "--set", "double.times=3"]));
    project.status(&["plan", "--check"], 0);
    project.status(&["plan", "--check", "--set", "double.times=3"], 3);
}

#[test]
fn show_names_the_origin_of_an_artifact() {
    let project = Project::new();
    project.run(&[]);
    assert_output!(project.shown(&["sum"]));
}

#[test]
fn independent_stages_run_side_by_side() {
    let project = Project::new();
    let overlap = |jobs| {
        let salts = [format!("left.salt={jobs}"), format!("right.salt=1{jobs}")];
        let set = ["--set", &salts[0], "--set", &salts[1], "--jobs", jobs];
        project.run(&[&["--pipeline", "wide"][..], &set].concat());
        let [left, right] = ["left", "right"].map(|stage| {
            let times = project.latest(&format!("{stage}.done"));
            times.split_whitespace().map(|t| t.parse::<f64>().expect("a time")).collect::<Vec<_>>()
        });
        left[0] < right[1] && right[0] < left[1]
    };
    assert!(overlap("2"));
    assert!(!overlap("1"));
}

#[test]
fn mistakes_are_shown_with_file_line_and_the_nearest_name() {
    let project = Project::new();
    let cases = [
        ("missing_argument", ["--pipeline", ""]),
        ("unknown_name", ["--dataset", "tyo"]),
        ("unknown_name", ["--set", "double.tims=3"]),
        ("unknown_name", ["--set", "duoble.times=3"]),
        ("invalid_value", ["--set", "double.times=0"]),
        ("invalid_value", ["--set", "double.times=many"]),
        ("invalid_value", ["--set", "double"]),
    ];
    let said = cases.map(|(code, [option, value])| project.refused(code, &["run", option, value]));
    assert_output!(said.join("\n"));
}

#[test]
fn wrong_wiring_is_refused_with_its_line() {
    let cases = [
        "inputs.numbers = \"make.kep\"",
        "inputs.nmbers = \"make.kept\"",
        "",
        "inputs.numbers = \"sum.total\"",
        "inputs.numbers = \"invent.truth\"",
        "inputs = 3",
    ];
    let said = cases.map(|new| {
        let project = Project::new();
        let pipeline = project.read("pipelines/chain.toml");
        project.write("pipelines/chain.toml", &pipeline.replace("inputs.numbers = \"make.kept\"", new));
        project.refused("declaration", &["run"])
    });
    assert_output!(said.join("\n"));
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_is_published() {
    // Nobody can create files there, not even root. The reason in the error depends on the machine.
    let reason = std::fs::create_dir("/sys/kernel/any").expect_err("an error").to_string();
    let project = Project::new();
    project.link("/sys/kernel", "data/store");
    assert_output!(project.refused("io", &["run"]).replace(&reason, "[reason]"));
    let project = Project::new();
    project.link("/sys/kernel", "data/out");
    assert_output!(project.run_failing("io", &[]).replace(&reason, "[reason]"));
}

#[test]
fn a_full_disk_ends_in_an_error_that_names_the_file() {
    let project = Project::new();
    // A limit on file sizes refuses writes as a full disk does.
    assert_output!(project.run_limited(0));
    assert!(!project.exists("data/out/chain/toy/small/make"));
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"], "no partial output is in the way");
}

#[test]
fn equal_content_under_several_names_is_shown_under_each() {
    let project = Project::new();
    // Doubling 0 gives 0, whose sum is 0: one content, three artifacts.
    project.write("data/raw/toy/numbers.txt", "0\n");
    project.run(&[]);
    for (stage, name) in [("double", "doubled.txt"), ("sum", "total.txt")] {
        assert_eq!(project.read(&format!("data/out/chain/toy/small/{stage}/{name}")).trim(), "0");
    }
}

#[test]
fn a_new_output_is_a_reason_to_run() {
    let project = Project::new();
    project.run(&[]);
    let declared = project.read("stages/sum/stage.toml");
    project.write(
        "stages/sum/stage.toml",
        &format!("{declared}\n[outputs.more]\nkind = \"file\"\npath = \"more.txt\"\ndoc = \"More\"\n"),
    );
    assert_output!(project.run_failing("worker_output", &[]));
    assert!(project.stdout(&["ls"]).contains("sum.more"));
}

#[test]
fn a_source_that_changes_while_a_run_waits_is_not_recorded() {
    let project = Project::new();
    project.write("data/raw/toy/numbers.txt", "1\n");
    let slow = ["--set", "make.seconds=2"];
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| project.command(&[&["run"], &slow[..]].concat()));
        let second = scope.spawn(|| project.command(&[&["run"], &slow[..]].concat()));
        std::thread::sleep(std::time::Duration::from_secs(1));
        project.write("data/raw/toy/numbers.txt", "99\n");
        (first.join().expect("ran"), second.join().expect("ran"))
    });
    for output in [first, second] {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("callsheet::input_changed"), "{said}");
    }
    project.write("data/raw/toy/numbers.txt", "1\n");
    project.run(&slow);
    assert_eq!(project.latest("make.kept").trim(), "1");
}

#[test]
fn many_actions_may_publish_equal_content_at_once() {
    let project = Project::new();
    let stages: String = (0..8)
        .map(|n| {
            format!("[stages.m{n}]\nuse = \"make\"\ninputs.numbers = \"numbers\"\nparams.comment = \"{n}\"\n")
        })
        .collect();
    let head = project.read("pipelines/chain.toml");
    let head = head.split("[stages").next().expect("sources").to_owned();
    project.write("pipelines/many.toml", &format!("{head}{stages}"));
    project.write("data/raw/toy/numbers.txt", "1\n");
    assert_eq!(project.run(&["--pipeline", "many", "--jobs", "8"]).ran().len(), 8);
}

#[test]
fn unmatched_raw_files_are_refused_instead_of_using_the_stand_in() {
    let project = Project::new();
    project.remove("data/raw/toy");
    project.write("data/raw/toy/numbers.TXT2", "1\n");
    assert_output!(project.refused("declaration", &["run"]));
}

#[test]
fn settings_without_effect_are_refused() {
    let cases = [
        ("pipelines/datasets/toy.toml", "[sources.nubmers]\npath = \"x\"\n"),
        ("pipelines/profiles/small.toml", "[stages.sum]\nuse = \"double\"\n"),
        ("pipelines/profiles/small.toml", "[stages.invent.params]\nnonsense = 3\n"),
    ];
    let said = cases.map(|(file, more)| {
        let project = Project::new();
        project.write(file, &format!("{}\n{more}", project.read(file)));
        project.refused("declaration", &["run"])
    });
    assert_output!(said.join("\n"));
    let project = Project::new();
    assert_output!(project.refused("invalid_value", &["run", "--set", "double.times=1\nx=2"]));
    let declared = project.read("stages/sum/stage.toml");
    let line = declared.lines().find(|line| line.starts_with("command")).expect("a command");
    project.write("stages/sum/stage.toml", &declared.replace(line, "command = []"));
    assert_output!(project.refused("declaration", &["run"]));
}

#[test]
fn a_linked_folder_is_refused_as_output() {
    let project = Project::new();
    let declared = project.read("stages/make/stage.toml").replace("kind = \"file\"", "kind = \"directory\"");
    project.write("stages/make/stage.toml", &declared);
    project.write(
        "stages/make/make.py",
        "import os, sys, json\nr = json.load(open(sys.argv[1]))\n\
        os.symlink(os.path.dirname(r['inputs']['numbers']['paths'][0]), r['outputs']['kept'])\n",
    );
    project.write(
        "pipelines/chain.toml",
        "summary = \"One\"\n[sources.numbers]\npath = \"data/raw/toy/*.txt\"\n\
        [stages.make]\ninputs.numbers = \"numbers\"\n",
    );
    project.write("pipelines/datasets/toy.toml", "summary = \"Toy\"\n");
    project.write("pipelines/profiles/small.toml", "summary = \"Small\"\n");
    assert_output!(project.run_failing("worker_output", &[]));
}

#[test]
fn invalid_stage_names_are_refused() {
    let long = "x".repeat(10_000);
    let names = ["../../evil", "/evil", "a/b", "a.b", "", "-x", "a\\u0000b", long.as_str()];
    let said = names.map(|name| {
        let project = Project::new();
        let more = format!("[stages.\"{name}\"]\nuse = \"make\"\ninputs.numbers = \"numbers\"\n");
        project.write("pipelines/chain.toml", &(project.read("pipelines/chain.toml") + &more));
        project.refused("declaration", &["run"])
    });
    // Git treats a file with the character 0 as binary.
    assert_output!(said.join("\n").replace('\0', "[0]"));
}

#[test]
fn two_outputs_cannot_have_one_path() {
    let project = Project::new();
    let more = "\n[outputs.more]\nkind = \"file\"\npath = \"total.txt\"\ndoc = \"More\"\n";
    project.write("stages/sum/stage.toml", &(project.read("stages/sum/stage.toml") + more));
    assert_output!(project.refused("declaration", &["run"]));
}

#[test]
fn a_raw_file_that_is_a_link_to_nothing_is_refused() {
    let project = Project::new();
    project.link("nowhere.txt", "data/raw/toy/more.txt");
    assert_output!(project.refused("declaration", &["run"]));
}

#[test]
fn a_placeholder_of_a_command_is_filled_in_and_an_unknown_one_refused() {
    let project = Project::new();
    let script = project.read("stages/sum/stage.toml");
    let line = script.lines().find(|line| line.starts_with("command")).expect("a command");
    let command = "command = [\"sh\", \"-c\", \"cat \\\"$1\\\" > \\\"$2\\\"\", \"sum\", \"{inputs.numbers}\", \"{outputs.total}\"]";
    project.write("stages/sum/stage.toml", &script.replace(line, command));
    project.run(&[]);
    assert_eq!(
        project.read("data/out/chain/toy/small/sum/total.txt"),
        project.read("data/out/chain/toy/small/double/doubled.txt")
    );
    project.write(
        "stages/sum/stage.toml",
        &script.replace(line, &command.replace("inputs.numbers", "inputs.number")),
    );
    assert_output!(project.refused("declaration", &["run"]));
}

#[test]
fn a_failure_in_one_branch_lets_the_other_finish_without_fail_fast() {
    let project = Project::new();
    project.write("stages/nap/nap.sh", "sleep $1; test \"$2\" != 0 && echo done > \"$3\"");
    let declared = project.read("stages/nap/stage.toml");
    let line = declared.lines().find(|line| line.starts_with("command")).expect("a command");
    let command = "command = [\"sh\", \"nap.sh\", \"{params.salt}\", \"{params.salt}\", \"{outputs.done}\"]";
    project.write("stages/nap/stage.toml", &declared.replace(line, command));
    let set = ["-p", "wide", "--jobs", "2", "--set", "left.salt=0", "--set", "right.salt=1"];
    let run = project.run_to(1, &[&set[..], &["--fail-fast"]].concat());
    assert_eq!((run.of("failed"), run.of("stopped")), (vec!["left"], vec!["right"]));
    let run = project.run_to(1, &[&set[..], &["--fail-fast", "--keep-going"]].concat());
    assert_eq!((run.of("failed"), run.ran()), (vec!["left"], vec!["right"]));
    let run = project.run_to(1, &[&set[..], &["--force", "right"]].concat());
    assert_eq!((run.of("failed"), run.ran()), (vec!["left"], vec!["right"]), "--keep-going is the default");
}

#[test]
fn a_selection_takes_along_what_it_needs_and_nothing_else() {
    let project = Project::new();
    assert_eq!(project.run(&["double"]).ran(), ["make", "double"]);
    assert_eq!(project.run(&["--from", "double"]).ran(), ["sum"]);
    assert_output!(project.run_failing("not_computed", &["--only", "sum", "--set", "double.times=3"]));
    assert_eq!(project.run(&["--until", "double", "--set", "double.times=3"]).ran(), ["double"]);
    assert_eq!(project.run(&["--only", "sum", "--set", "double.times=3"]).ran(), ["sum"]);
    assert_eq!(
        project.run(&["--force", "double"]).ran(),
        ["double"],
        "equal content runs no downstream stage"
    );
    assert_output!(project.refused("unknown_name", &["run", "duoble"]));
}

#[test]
fn verify_names_what_is_damaged_and_heals_by_removing_it() {
    let project = Project::new();
    project.run(&[]);
    project.status(&["verify"], 0);
    let (doubled, total) = (project.artifact("double.doubled"), project.artifact("sum.total"));
    // The damaged file has its old size and time, so only a hash reveals the damage.
    let sealed = std::fs::metadata(&doubled).expect("metadata").modified().expect("a time");
    project.overwrite(&doubled, "9\n9\n9\n");
    let file = std::fs::File::options().write(true).open(&doubled).expect("open");
    file.set_modified(sealed).expect("set");
    project.remove_file(&total);
    assert_eq!(project.run(&["--until", "double"]).ran(), [""; 0]);
    let output = project.command(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert_output!(String::from_utf8_lossy(&output.stdout));
    project.status(&["verify", "--heal"], 0);
    assert_eq!(project.run(&[]).ran(), ["double", "sum"]);
    project.status(&["verify"], 0);
}

#[test]
fn gc_keeps_what_is_shown_and_pinned_and_lists_before_it_removes() {
    let project = Project::new();
    project.run(&["--set", "double.times=3"]);
    project.stdout(&["pin", "triple", "--set", "double.times=3"]);
    project.run(&["--set", "double.times=4"]);
    project.run(&[]);
    assert_output!(project.gc(&[]));
    assert_output!(project.gc(&["--delete"]));
    assert_eq!(project.run(&["--set", "double.times=3"]).ran(), [""; 0], "pinned");
    assert_eq!(project.run(&[]).ran(), [""; 0], "shown");
    assert_eq!(project.run(&["--set", "double.times=4"]).ran(), ["double", "sum"], "removed");
    assert_eq!(project.stdout(&["pin", "--list"]).trim(), "triple");
    project.stdout(&["pin", "--remove", "triple"]);
    assert_output!(project.refused("unknown_name", &["pin", "--remove", "tripel"]));
}

#[test]
fn gc_with_a_size_removes_the_cheapest_results_first() {
    let project = Project::new();
    project.write("data/raw/toy/numbers.txt", &"1\n".repeat(10_000));
    for times in ["3", "4"] {
        project.run(&["--set", &format!("double.times={times}")]);
    }
    project.run(&[]);
    let all = project.stdout(&["gc", "--older-than", "0s", "--json"]);
    assert_eq!(all.matches("\"stage\": \"double\"").count(), 2, "{all}");
    let one = project.stdout(&["gc", "--older-than", "0s", "--size", "70kB", "--json"]);
    assert_eq!(one.matches("\"stage\": \"double\"").count(), 1, "{one}");
    let none = project.stdout(&["gc", "--older-than", "0s", "--size", "1 GB", "--json"]);
    assert_eq!(none.matches("\"stage\"").count(), 0, "{none}");
    assert_output!(project.stdout(&["du"]));
}

#[test]
fn a_corrupted_truncated_or_deleted_record_is_a_miss() {
    let project = Project::new();
    for damage in ["", "{", "{\"format\": 2}", "\u{0}\u{0}\u{0}"] {
        project.run(&[]);
        let shown: serde_json::Value =
            serde_json::from_str(&project.stdout(&["show", "double.doubled", "--json"])).expect("JSON");
        let key = shown["key"].as_str().expect("a key").to_owned();
        let path = project.path(&format!("data/store/actions/{key}.json"));
        project.remove("data/store/latest");
        if damage.is_empty() {
            project.remove_file(&path);
        } else {
            project.overwrite(&path, damage);
            project.status(&["verify"], 1);
        }
        assert_eq!(project.run(&[]).ran(), ["double"], "{damage:?}");
        project.status(&["verify"], 0);
    }
}

#[test]
fn explain_puts_the_stored_and_the_wanted_key_side_by_side() {
    let project = Project::new();
    project.run(&[]);
    assert_output!(project.explained(&["double", "--set", "double.times=3"]));
    assert_output!(project.explained(&["double"]));
    assert_output!(project.explained(&["sum", "--set", "double.times=3"]));
}

#[test]
fn runs_are_listed_and_compared_by_parameters_artifacts_and_metrics() {
    let project = Project::new();
    let script = project.read("stages/double/double.py");
    let metric = "\nimport os\nwith open(os.environ['CALLSHEET_EVENTS'], 'w') as events:\n    \
        events.write(json.dumps({'metric': {'name': 'times', 'step': 1, 'value': request['params']['times']}}) + '\\n')\n";
    project.write("stages/double/double.py", &(script + metric));
    project.run(&[]);
    project.run(&["--set", "double.times=3"]);
    project.run(&["--set", "double.times=3"]);
    // A run with nothing to do is not listed.
    assert_output!(project.stdout(&["ls", "--runs"]));
    assert_output!(project.stdout(&["compare", "latest~1", "latest"]));
    assert_output!(project.refused("unknown_name", &["compare", "1999", "latest"]));
}

#[test]
fn init_writes_a_pipeline_that_works_and_overwrites_nothing() {
    let project = Project::new();
    let callsheet = |folder: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(arguments).current_dir(project.path(folder)).output().expect("callsheet starts")
    };
    assert!(callsheet("", &["init", "fresh"]).status.success());
    assert_output!(String::from_utf8_lossy(&callsheet("fresh", &["run"]).stderr));
    let words = project.read("fresh/data/out/words/most_common/words.txt");
    assert_eq!(words.split_whitespace().collect::<Vec<_>>(), ["3", "the", "2", "dog"]);
    let more = callsheet("fresh", &["run", "--set", "most_common.words=3"]);
    assert_output!(String::from_utf8_lossy(&more.stderr));
    let again = callsheet("", &["init", "fresh"]);
    assert_output!(String::from_utf8_lossy(&again.stderr));
}

#[test]
fn every_shell_gets_its_completions() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish"] {
        let text = project.stdout(&["completions", shell]);
        assert!(text.contains("CALLSHEET_COMPLETE") && text.contains("callsheet"), "{shell}: {text}");
    }
}

#[test]
fn a_result_forced_in_one_pipeline_is_seen_in_another() {
    let project = Project::new();
    project.write(
        "stages/make/make.py",
        "import json, sys, time\nr = json.load(open(sys.argv[1]))\n\
        open(r['outputs']['kept'], 'w').write(f'{time.time_ns()}\\n')\n",
    );
    project.write("pipelines/again.toml", &project.read("pipelines/chain.toml"));
    project.run(&[]);
    project.run(&["-p", "again"]);
    assert_eq!(project.run(&["--force", "make"]).ran(), ["make", "double", "sum"]);
    project.run(&["-p", "again"]);
    let kept = |pipeline: &str| project.read(&format!("data/out/{pipeline}/toy/small/make/kept.txt"));
    assert_eq!(kept("again"), kept("chain"));
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert_eq!(project.run(&[]).ran(), [""; 0]);
}

#[test]
fn gc_removes_nothing_if_the_needed_results_are_unknown() {
    let project = Project::new();
    project.run(&[]);
    project.write("data/store/latest/chain/toy/small.json", "");
    assert_output!(project.refused("unreadable", &["gc", "--older-than", "0s", "--delete"]));
    project.status(&["verify"], 1);
    project.status(&["verify", "--heal"], 0);
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert_eq!(project.run(&[]).ran(), [""; 0]);
}

#[test]
fn a_dry_run_predicts_the_run() {
    let project = Project::new();
    assert_output!(project.stdout(&["run", "--dry-run"]));
    assert!(!project.exists("data/out"), "a dry run writes no results");
    project.refused("not_computed", &["run", "--dry-run", "--only", "sum"]);
    assert_output!(project.refused("conflict", &["run", "--force", "make", "--only", "sum"]));
}
