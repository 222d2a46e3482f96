//! The engine through the real binary, on toy stages written in shell and Python.

mod support;

use support::Project;

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let project = Project::new();
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    let again = project.run(&[]);
    assert_eq!(again.ran(), [""; 0]);
    assert!(again.stderr_of_lines(&project).contains("nothing to do, 3 stages up to date"));
}

#[test]
fn a_changed_parameter_runs_its_stage_and_what_depends_on_it() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "double.times=3"]).ran(), ["double", "sum"]);
    assert_eq!(project.run(&["--set", "double.times=2"]).ran(), [""; 0], "the old result is still there");
}

#[test]
fn an_unchanged_output_cuts_off_what_comes_after_it() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "make.comment=\"other\""]).ran(), ["make"]);
}

#[test]
fn an_execution_parameter_is_no_reason_to_run() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(project.run(&["--set", "double.chatty=true"]).ran(), [""; 0]);
}

#[test]
fn a_touched_source_is_no_reason_to_run_and_a_changed_one_is() {
    let project = Project::new();
    project.run(&[]);
    project.write("data/raw/toy/numbers.txt", "1\n2\n3\n");
    assert_eq!(project.run(&[]).ran(), [""; 0], "same bytes, new time stamp");
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
    assert_eq!(project.read("data/out/chain/toy/sum/total.txt").trim(), "12");
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
}

#[test]
fn a_stand_in_is_named_and_footage_takes_its_place() {
    let project = Project::new();
    project.remove("data/raw/toy");
    let run = project.run(&[]);
    assert_eq!(run.ran(), ["invent", "make", "double", "sum"]);
    assert!(project.stdout(&["ls"]).contains("rests on: invented numbers"));
    project.write("data/raw/toy/numbers.txt", "5\n");
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    assert!(!project.stdout(&["ls"]).contains("rests on"));
}

#[test]
fn a_failure_quotes_the_worker_and_publishes_nothing() {
    let project = Project::new();
    let failed = project.run_failing(&["--set", "double.times=13"], 1);
    assert!(failed.contains("thirteen is unlucky"), "{failed}");
    assert!(failed.contains("the full log is"), "{failed}");
    assert!(!project.exists("data/out/chain/toy/double"));
    assert_eq!(project.run(&[]).ran(), ["double", "sum"], "what succeeded before was kept");
}

#[test]
fn a_missing_or_undeclared_output_is_an_error() {
    let project = Project::new();
    let failed = project.run_failing(&["--set", "double.misbehave=forget"], 1);
    assert!(failed.contains("did not write its output `doubled`"), "{failed}");
    let failed = project.run_failing(&["--set", "double.misbehave=litter"], 1);
    assert!(failed.contains("wrote `litter.txt`, which it does not declare"), "{failed}");
}

#[test]
fn plan_says_what_the_run_then_does() {
    let project = Project::new();
    project.run(&[]);
    let plan = project.stdout(&["plan", "--set", "double.times=3"]);
    assert!(plan.contains("cached make"), "{plan}");
    assert!(plan.contains("run    double  times: 2 → 3"), "{plan}");
    assert!(plan.contains("maybe  sum     after double"), "{plan}");
    project.status(&["plan", "--check"], 0);
    project.status(&["plan", "--check", "--set", "double.times=3"], 3);
}

#[test]
fn show_tells_where_an_artifact_came_from() {
    let project = Project::new();
    project.run(&[]);
    let shown = project.stdout(&["show", "sum"]);
    for part in ["artifact     sum.total", "input        numbers < double.doubled", "action key", "made"] {
        assert!(shown.contains(part), "`{part}` is not in\n{shown}");
    }
}

#[test]
fn independent_stages_run_side_by_side() {
    let project = Project::new();
    let order = |jobs| {
        project.starts(&[
            "--pipeline",
            "wide",
            "--jobs",
            jobs,
            "--set",
            &format!("left.salt={jobs}"),
            "--set",
            &format!("right.salt=1{jobs}"),
        ])
    };
    assert_eq!(order("2"), ["started", "started", "finished", "finished"]);
    assert_eq!(order("1"), ["started", "finished", "started", "finished"]);
}

#[test]
fn mistakes_are_shown_with_file_line_and_the_nearest_name() {
    let project = Project::new();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--dataset", "tyo"], &["dataset `tyo` not found in pipelines/datasets", "did you mean `toy`?"]),
        (&["--set", "double.tims=3"], &["stage `double` has no parameter `tims`", "did you mean `times`?"]),
        (&["--set", "duoble.times=3"], &["the pipeline has no stage `duoble`", "did you mean `double`?"]),
        (&["--set", "double.times=0"], &["double.times: 0 is out of bounds", "an integer of at least 1"]),
        (&["--set", "double.times=many"], &["`\"many\"` is not of type integer"]),
        (&["--set", "double"], &["not of the form stage.param=value"]),
    ];
    for (arguments, wanted) in cases {
        let said = project.run_failing(arguments, 2);
        for part in wanted {
            assert!(said.contains(part), "`{part}` is not in\n{said}");
        }
    }
}

#[test]
fn wrong_wiring_is_refused_with_its_line() {
    let cases = [
        (
            "inputs.numbers = \"make.kept\"",
            "inputs.numbers = \"make.kep\"",
            "has no output `kep`",
            "pipelines/chain.toml",
        ),
        (
            "inputs.numbers = \"make.kept\"",
            "inputs.nmbers = \"make.kept\"",
            "has no input `nmbers`",
            "pipelines/chain.toml",
        ),
        ("inputs.numbers = \"make.kept\"", "", "needs its input `numbers`", "pipelines/chain.toml"),
        (
            "inputs.numbers = \"make.kept\"",
            "inputs.numbers = \"sum.total\"",
            "depend on themselves",
            "pipelines/chain.toml",
        ),
        (
            "inputs.numbers = \"make.kept\"",
            "inputs.numbers = \"invent.truth\"",
            "is held out",
            "pipelines/chain.toml",
        ),
        ("inputs.numbers = \"make.kept\"", "inputs = 3", "pipelines/chain.toml:", "pipelines/chain.toml"),
    ];
    for (old, new, wanted, file) in cases {
        let project = Project::new();
        project.write("pipelines/chain.toml", &project.read("pipelines/chain.toml").replace(old, new));
        let said = project.run_failing(&[], 2);
        assert!(said.contains(wanted) && said.contains(file), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_is_published() {
    for folder in ["data/store", "data/out"] {
        let project = Project::new();
        // Nobody can create anything there, root included.
        project.link("/sys/kernel", folder);
        let said = project.run_failing(&[], if folder == "data/store" { 2 } else { 1 });
        assert!(said.contains("cannot create") && said.contains(folder), "{said}");
        assert!(said.contains("make the folder writable"), "{said}");
    }
}

#[test]
fn a_full_disk_ends_in_an_error_that_names_the_file() {
    let project = Project::new();
    // A limit on file sizes refuses writes as a full disk does.
    let said = project.run_limited(0);
    assert!(said.contains("request.json") && said.contains("free some disk space"), "{said}");
    assert!(!project.exists("data/out/chain/toy/make"));
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"], "nothing half-done is in the way");
}

#[test]
fn equal_content_under_several_names_is_shown_under_each() {
    let project = Project::new();
    // Doubling 0 gives 0, whose sum is 0: one content, three artifacts.
    project.write("data/raw/toy/numbers.txt", "0\n");
    project.run(&[]);
    for (stage, name) in [("double", "doubled.txt"), ("sum", "total.txt")] {
        assert_eq!(project.read(&format!("data/out/chain/toy/{stage}/{name}")).trim(), "0");
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
    let failed = project.run_failing(&[], 1);
    assert!(failed.contains("did not write its output `more`"), "{failed}");
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
        assert!(!output.status.success() && said.contains("changed while stage"), "{said}");
    }
    project.write("data/raw/toy/numbers.txt", "1\n");
    project.run(&slow);
    assert_eq!(project.read("data/out/chain/toy/make/kept.txt").trim(), "1");
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
fn files_that_no_pattern_matches_are_not_passed_over_for_the_stand_in() {
    let project = Project::new();
    project.remove("data/raw/toy");
    project.write("data/raw/toy/numbers.TXT2", "1\n");
    let said = project.run_failing(&[], 2);
    assert!(said.contains("matches no file, but there is") && said.contains("numbers.TXT2"), "{said}");
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let cases = [
        ("pipelines/datasets/toy.toml", "[sources.nubmers]\npath = \"x\"\n", "did you mean `numbers`?"),
        (
            "pipelines/profiles/small.toml",
            "[stages.sum]\nuse = \"double\"\n",
            "is what the pipeline says it is",
        ),
        (
            "pipelines/profiles/small.toml",
            "[stages.invent.params]\nnonsense = 3\n",
            "has no parameter `nonsense`",
        ),
    ];
    for (file, more, wanted) in cases {
        let project = Project::new();
        project.write(file, &format!("{}\n{more}", project.read(file)));
        let said = project.run_failing(&[], 2);
        assert!(said.contains(wanted) && said.contains(file), "`{wanted}` is not in\n{said}");
    }
    let project = Project::new();
    let said = project.run_failing(&["--set", "double.times=1\nx=2"], 2);
    assert!(said.contains("is not of type integer"), "{said}");
    let declared = project.read("stages/sum/stage.toml");
    let line = declared.lines().find(|line| line.starts_with("command")).expect("a command");
    project.write("stages/sum/stage.toml", &declared.replace(line, "command = []"));
    let said = project.run_failing(&[], 2);
    assert!(said.contains("the command names no program"), "{said}");
}
