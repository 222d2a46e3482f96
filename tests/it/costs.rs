//! Costs of the commands that every user waits for, in instructions and file calls, counted by valgrind. No
//! clock is involved, so a busy machine changes nothing. The counts are those of one rustc; under another one
//! only growth is checked.
//!
//! A cost that grows faster than the project, or that is above the one recorded in `costs.json`, fails.
//! Record an intended change in the same commit:
//! `CALLSHEET_RECORD_COSTS=1 cargo test --workspace --test it costs:: -- --test-threads 1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Factor by which a cost may grow faster than its size.
const GROWTH: f64 = 1.1;
/// Factor by which a cost may be above its record.
const RISE: f64 = 1.05;
/// Parts of the names of system calls that read or change files.
const FILE_CALLS: [&str; 10] =
    ["access", "getdents", "link", "mkdir", "open", "rename", "rmdir", "stat", "statx", "truncate"];

/// Cost of one command.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Cost {
    instructions: u64,
    file_calls: u64,
}

/// Recorded costs, and the version of the compiler that built the program.
#[derive(Default, Deserialize, Serialize)]
struct Records {
    rustc: String,
    costs: BTreeMap<String, Cost>,
}

/// Version of the compiler.
fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs the engine under valgrind in a project.
fn cost(project: &Path, arguments: &[&str]) -> Cost {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-syscalls=yes"]);
    command.arg(env!("CARGO_BIN_EXE_callsheet")).args(arguments).current_dir(project);
    // With several threads, the count depends on how they share the work.
    command.env("RAYON_NUM_THREADS", "1");
    // A search for a program looks into every folder of the PATH.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    // The loader of the system looks for libraries in each of these folders, which depend on the tested packages.
    command.env_remove("LD_LIBRARY_PATH");
    let output = command.output().expect("valgrind is installed, e.g. by apt-get install valgrind");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", &said[said.len().saturating_sub(2000)..]);
    let instructions = said.lines().filter_map(|line| line.split_once("Collected : ")).next_back();
    let instructions = instructions.expect("a count").1.trim().parse().expect("a number");
    // SYSCALL[pid,thread](number) sys_name(..
    let called = said.split("SYSCALL[").skip(1).filter_map(|call| {
        let name = call.split_once(") sys_").or_else(|| call.split_once(") "))?.1;
        Some(name.split(['(', ' ']).next().unwrap_or(name))
    });
    let file_calls = called.filter(|name| FILE_CALLS.iter().any(|part| name.contains(part))).count() as u64;
    Cost { instructions, file_calls }
}

/// Compares a cost with its record, or records it if `CALLSHEET_RECORD_COSTS` is set.
#[expect(clippy::print_stderr, reason = "the log shows that nothing was compared")]
fn check(name: &str, cost: Cost) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/costs.json");
    let text = fs::read_to_string(&file).expect("costs.json");
    let mut recorded: Records = serde_json::from_str(&text).expect("costs.json");
    let rustc = rustc();
    if std::env::var_os("CALLSHEET_RECORD_COSTS").is_some() {
        recorded.rustc = rustc;
        recorded.costs.insert(name.to_owned(), cost);
        fs::write(&file, serde_json::to_string_pretty(&recorded).expect("plain data") + "\n")
            .expect("written");
        return;
    }
    if recorded.rustc != rustc {
        eprintln!("{name} is not compared: recorded with {}, compiled with {rustc}", recorded.rustc);
        return;
    }
    let record =
        recorded.costs.get(name).unwrap_or_else(|| panic!("{name} has no record in {}", file.display()));
    for (of, found, record) in [
        ("instructions", cost.instructions, record.instructions),
        ("file calls", cost.file_calls, record.file_calls),
    ] {
        assert!(
            found as f64 <= record as f64 * RISE,
            "{name}: {found} {of}, but {record} are recorded: find the reason, or record the new cost"
        );
    }
}

/// Panics if the cost per piece grows from the first step between sizes to the second.
fn check_growth(name: &str, costs: &[(u64, Cost)]) {
    let rates = |of: fn(&Cost) -> u64| -> Vec<f64> {
        let rate = |pair: &[(u64, Cost)]| {
            (of(&pair[1].1) as f64 - of(&pair[0].1) as f64) / (pair[1].0 - pair[0].0) as f64
        };
        costs.windows(2).map(rate).collect()
    };
    for (what, rates) in
        [("instructions", rates(|cost| cost.instructions)), ("file calls", rates(|cost| cost.file_calls))]
    {
        // One additional file call is not growth.
        assert!(
            rates[1] <= rates[0].max(0.0) * GROWTH + 0.001,
            "{name}: {what} per piece grow from {} to {}",
            rates[0],
            rates[1]
        );
    }
}

/// Writes a file of a project, and creates its folders.
fn write(project: &Path, name: &str, text: &str) {
    let path = project.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, text).expect("written");
}

/// A project with one pipeline for each size. A pipeline consists of chains of ten copying stages, each with
/// its own table in the file. Equal stages of two pipelines have one result.
fn chains() -> TempDir {
    let project = tempfile::tempdir().expect("a folder");
    write(
        project.path(),
        "stages/copy/stage.toml",
        "summary = \"Copies\"\nversion = 1\ncommand = [\"cp\", \"{inputs.text}\", \"{outputs.text}\"]\n\
         inputs.text = { kind = \"file\", doc = \"Any\" }\n\
         outputs.text = { kind = \"file\", path = \"text\", doc = \"Copy of the text\" }\n",
    );
    write(project.path(), "callsheet.toml", "");
    for stages in SIZES {
        write_chains(project.path(), stages);
    }
    settle();
    project
}

fn write_chains(project: &Path, stages: u64) {
    let mut pipeline = "summary = \"Chains\"\n".to_owned();
    for stage in 0..stages {
        if stage % 10 == 0 {
            write(project, &format!("data/raw/{stage}.txt"), &format!("{stage}\n"));
            write!(pipeline, "[sources.raw{stage}]\npath = \"data/raw/{stage}.txt\"\n").expect("text");
        }
        let from = if stage % 10 == 0 { format!("raw{stage}") } else { format!("copy{}.text", stage - 1) };
        write!(pipeline, "[stages.copy{stage}]\nuse = \"copy\"\ninputs.text = \"{from}\"\n").expect("text");
    }
    write(project, &format!("pipelines/of_{stages}.toml"), &pipeline);
}

/// Waits until the store may remember digests of files that were just written.
fn settle() {
    std::thread::sleep(Duration::from_millis(2100));
}

fn callsheet(project: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let output = command.args(arguments).current_dir(project).output().expect("callsheet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const SIZES: [u64; 3] = [500, 2000, 8000];

#[test]
fn a_plan_costs_in_proportion_to_the_stages() {
    let project = chains();
    // This plan stores the digests of all sources.
    callsheet(project.path(), &["plan", "--pipeline", &format!("of_{}", SIZES[2])]);
    let costs = SIZES.map(|stages| {
        let pipeline = format!("of_{stages}");
        (stages, cost(project.path(), &["plan", "--pipeline", &pipeline]))
    });
    check_growth("plan", &costs);
    for (stages, found) in costs {
        check(&format!("plan of {stages} stages"), found);
    }
}

#[test]
fn a_run_with_nothing_to_do_costs_in_proportion_to_the_stages() {
    let project = chains();
    // The largest pipeline contains all stages of the others, so the other runs find its results.
    for stages in SIZES.iter().rev() {
        callsheet(project.path(), &["run", "--pipeline", &format!("of_{stages}")]);
    }
    settle();
    let run = |stages: u64| (stages, cost(project.path(), &["run", "--pipeline", &format!("of_{stages}")]));
    // The first of these runs stores its trace, and the second one only repeats the reads.
    for what in ["with nothing to do", "whose trace is valid"] {
        let costs = SIZES.map(run);
        check_growth("run", &costs);
        for (stages, found) in costs {
            check(&format!("run of {stages} stages {what}"), found);
        }
    }
}

// valgrind cannot start workers, so the results of the changed source are in the store already.
#[test]
fn a_changed_source_costs_no_more_than_recorded() {
    let project = chains();
    let run = ["run", "--pipeline", &format!("of_{}", SIZES[0])];
    for text in ["changed\n", "0\n"] {
        write(project.path(), "data/raw/0.txt", text);
        callsheet(project.path(), &run);
    }
    write(project.path(), "data/raw/0.txt", "changed\n");
    settle();
    let found = cost(project.path(), &run);
    check(&format!("run of {} stages, ten of which have earlier results", SIZES[0]), found);
}

#[test]
fn a_plan_of_the_flagship_costs_no_more_than_recorded() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let project = tempfile::tempdir().expect("a folder");
    for folder in ["stages", "pipelines"] {
        // Copies, because the cost of a path behind a link depends on the depth of this checkout.
        let copied = Command::new("cp").arg("-r").arg(root.join(folder)).arg(project.path()).status();
        assert!(copied.expect("cp starts").success());
    }
    let settings = fs::read_to_string(root.join("callsheet.toml")).expect("settings");
    fs::write(project.path().join("callsheet.toml"), settings).expect("written");
    for weights in ["vgg16.ckpt", "alexnet.ckpt", "lpips/v0.1/alex.pth"] {
        write(project.path(), &format!("data/weights/{weights}"), "content does not matter");
    }
    check("plan of the flagship", cost(project.path(), &["plan"]));
}

/// A project with two stages: one lists rows, and the other copies them row by row.
fn rows() -> TempDir {
    let project = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| write(project.path(), name, text);
    write("callsheet.toml", "defaults.pipeline = \"rows\"\n");
    write(
        "pipelines/rows.toml",
        "summary = \"Rows\"\n[sources.raw]\npath = \"data/raw/rows.ndjson\"\n[stages.list]\ninputs.raw = \"raw\"\n\
         [stages.copy]\ninputs.rows = \"list.rows\"\n",
    );
    let table = "kind = \"table\", format = \"json\", doc = \"Rows\"";
    let output =
        format!("path = \"rows.parquet\", columns = {{ name = \"string\", value = \"int64\" }}, {table}");
    write(
        "stages/list/stage.toml",
        &format!(
            "summary = \"Lists rows\"\nversion = 1\nenumerates_rows = true\n\
             command = [\"cp\", \"{{inputs.raw}}\", \"{{outputs.rows}}\"]\n\
             inputs.raw = {{ kind = \"file\", doc = \"Rows\" }}\noutputs.rows = {{ {output} }}\n"
        ),
    );
    write(
        "stages/copy/stage.toml",
        &format!(
            "summary = \"Copies rows\"\nversion = 1\ncommand = [\"cp\", \"{{inputs.rows}}\", \"{{outputs.rows}}\"]\n\
             inputs.rows = {{ {table} }}\noutputs.rows = {{ {output} }}\n\
             rows = {{ key = \"name\", input = \"rows\", output = \"rows\", columns = [\"value\"] }}\n"
        ),
    );
    project
}

/// A project in which ten of `count` rows are new.
fn with_ten_new_rows(count: u64) -> TempDir {
    let project = rows();
    let list = |whole: bool| {
        let new = |row: &u64| row % (count / 10) == 7;
        let rows = (0..count).filter(|row| whole || !new(row));
        let text: String =
            rows.map(|row| format!("{{\"name\":\"row{row:07}\",\"value\":{row}}}\n")).collect();
        write(project.path(), "data/raw/rows.ndjson", &text);
    };
    list(false);
    settle();
    callsheet(project.path(), &["run"]);
    list(true);
    settle();
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let plan = command.args(["plan", "--json"]).current_dir(project.path()).output();
    let plan: Value = serde_json::from_slice(&plan.expect("callsheet starts").stdout).expect("JSON");
    assert_eq!(plan["stages"][1]["compute"], json!({ "rows": 10, "of": count }), "{plan}");
    project
}

#[test]
fn finding_the_rows_that_are_missing_costs_in_proportion_to_the_rows() {
    let costs = [4000, 16_000, 64_000].map(find_ten_of);
    check_growth("rows", &costs);
    costs.into_iter().for_each(check_found);
}

#[test]
#[ignore = "takes minutes: `make test-all` runs it"]
fn finding_ten_rows_of_a_million_costs_in_proportion_too() {
    check_growth("rows", &[64_000, 256_000, 1_000_000].map(find_ten_of));
}

fn find_ten_of(count: u64) -> (u64, Cost) {
    (count, cost(with_ten_new_rows(count).path(), &["plan"]))
}

fn check_found((count, found): (u64, Cost)) {
    check(&format!("plan that finds 10 of {count} rows"), found);
}
