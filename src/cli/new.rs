//! `callsheet new stage`.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result};
use callsheet_worker::print::print_text;
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::fresh::write_all;
use crate::declare::{Project, is_name};

/// Write a working stage with its test
#[derive(Args)]
pub(super) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Stage(NewStage),
}

/// Write a stage that runs at once, with its test, into the project's folder of stages
///
/// The stage counts the words of text files, whatever its language: replace its code and its declaration by your own. In
/// a project without pipelines, a pipeline with this stage and a text for it are written, too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet new stage clean_orders                 a Python stage that needs no library
  callsheet new stage clean_orders --shell
  callsheet new stage clean_orders --rust --worker ../callsheet/worker
  callsheet run clean_orders")]
struct NewStage {
    /// Name of the stage and of its folder: letters, digits and `_`, beginning with a letter
    name: String,
    /// Write it in Python [default]
    #[arg(long)]
    python: bool,
    /// Write it in Rust, as a package that links callsheet-worker
    #[arg(long, conflicts_with = "python")]
    rust: bool,
    /// Write it as a shell script
    #[arg(long, conflicts_with_all = ["python", "rust"])]
    shell: bool,
    /// Folder of the package callsheet-worker [default: the version of this program, from the registry]
    #[arg(long, value_name = "FOLDER", requires = "rust")]
    worker: Option<PathBuf>,
}

/// Name and text of a file. `@NAME@` stands for the stage's name, `@WORKER@` for the dependency of a stage in Rust.
type Template = (&'static str, &'static str);

const PYTHON: [Template; 3] = [
    ("stage.toml", include_str!("new/python/stage.toml")),
    ("stage.py", include_str!("new/python/stage.py")),
    ("test_stage.py", include_str!("new/python/test_stage.py")),
];
const SHELL: [Template; 3] = [
    ("stage.toml", include_str!("new/shell/stage.toml")),
    ("stage.sh", include_str!("new/shell/stage.sh")),
    ("test_stage.sh", include_str!("new/shell/test_stage.sh")),
];
const RUST: [Template; 4] = [
    ("stage.toml", include_str!("new/rust/stage.toml")),
    ("Cargo.toml", include_str!("new/rust/Cargo.toml.in")),
    ("main.rs", include_str!("new/rust/main.rs.in")),
    (".gitignore", "target/\n"),
];

/// Names that are keywords of Rust, forbidden as names of cargo packages, or taken by callsheet.
const RESERVED: [&str; 55] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "use",
    "vars",
    "while",
];

/// A text for the first stage of a project to read.
const EXAMPLE: &str = "a cat and a dog\n";

impl New {
    pub(super) fn execute(&self) -> Result<u8> {
        let What::Stage(stage) = &self.what;
        stage.execute()
    }
}

impl NewStage {
    fn execute(&self) -> Result<u8> {
        self.check_name()?;
        let project = Project::find()?;
        let folder = project.stages.join(&self.name);
        let templates: &[Template] = match (self.rust, self.shell) {
            (true, _) => &RUST,
            (_, true) => &SHELL,
            _ => &PYTHON,
        };
        let worker = self.worker(&project.root.join(&folder))?;
        let filled = |text: &str| text.replace("@NAME@", &self.name).replace("@WORKER@", &worker);
        let mut files: Vec<(PathBuf, String)> =
            templates.iter().map(|(name, text)| (folder.join(name), filled(text))).collect();
        let first = self.first_pipeline(&project);
        files.extend(first.iter().flatten().cloned());
        let taken = [folder.clone()].into_iter().chain(files.iter().map(|(path, _)| path.clone()));
        if let Some(path) = taken.into_iter().find(|path| project.root.join(path).exists()) {
            let message = format!("{} exists: nothing is written", path.display());
            return Err(Error::refused(Code::Conflict, message, "choose another name"));
        }
        write_all(&project.root, &files)?;
        self.print_next_steps(&project, &folder, first.is_some());
        Ok(SUCCESS)
    }

    /// Pipeline with this stage, and a text for it, for a project that has no pipeline; none if raw files cannot be named by
    /// a pattern below the project.
    fn first_pipeline(&self, project: &Project) -> Option<Vec<(PathBuf, String)>> {
        let data = project.data.strip_prefix(&project.root).ok()?.to_str()?;
        if !project.pipeline_names().is_empty() || data.contains(['*', '?', '[', '{', '}']) {
            return None;
        }
        let quoted = |text: String| toml::Value::from(text).to_string();
        let (path, obtain) = (format!("{data}/raw/*.txt"), format!("put text files into {data}/raw"));
        let wiring = format!(
            "summary = \"Counts the words of text files\"\n\n[sources.texts]\npath = {}\nobtain = {}\n\n\
             [stages.{}]\ninputs.texts = \"texts\"\n",
            quoted(path),
            quoted(obtain),
            self.name
        );
        let mut files = vec![(project.pipelines.join(format!("{}.toml", self.name)), wiring)];
        let text = Path::new(data).join("raw/example.txt");
        if !project.root.join(&text).exists() {
            files.push((text, EXAMPLE.to_owned()));
        }
        Some(files)
    }

    /// Names that are valid in all three languages, so that a stage can be rewritten in another one.
    fn check_name(&self) -> Result<()> {
        let plain = !self.name.contains('-') && self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        if RESERVED.contains(&self.name.as_str()) {
            let message = format!("`{}` is a reserved word and not a valid name for a new stage", self.name);
            let help = format!("choose another name, e.g. `{}_stage`", self.name);
            return Err(Error::refused(Code::InvalidValue, message, help));
        }
        if is_name(&self.name) && plain {
            return Ok(());
        }
        let suggested: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(100).collect();
        let suggested = suggested.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let like = if suggested.is_empty() { "clean_orders" } else { suggested };
        Err(Error::refused(
            Code::InvalidValue,
            format!("`{}` is not a valid name for a new stage", self.name),
            format!("use letters, digits and `_`, at most 100, beginning with a letter, e.g. `{like}`"),
        ))
    }

    /// The dependency of a stage in Rust.
    fn worker(&self, stage: &Path) -> Result<String> {
        let Some(folder) = &self.worker else {
            return Ok(format!("\"{}\"", env!("CARGO_PKG_VERSION")));
        };
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).doing("cannot read", &manifest)?;
        if !text.lines().any(|line| line.trim() == "name = \"callsheet-worker\"") {
            let message = format!("{} is not the package callsheet-worker", folder.display());
            return Err(Error::refused(
                Code::InvalidValue,
                message,
                "name its folder, as in ../callsheet/worker",
            ));
        }
        let folder = folder.canonicalize().doing("cannot find", folder)?;
        let path = relative(&folder, stage);
        Ok(format!("{{ path = {} }}", toml::Value::from(path.to_string_lossy().into_owned())))
    }

    fn print_next_steps(&self, project: &Project, folder: &Path, wired: bool) {
        let folder = folder.display();
        let mut steps = Vec::new();
        if self.rust {
            let workspace = project.root.join("Cargo.toml").is_file();
            let target = if workspace { "target".to_owned() } else { format!("{folder}/target") };
            if workspace {
                steps.push(format!("add \"{folder}\" to `members` in Cargo.toml"));
            }
            steps.push(format!(
                "add to callsheet.toml, under [programs]: {0} = \"{target}/release/{0}\"",
                self.name
            ));
            steps.push(format!("cargo test --manifest-path {folder}/Cargo.toml"));
            steps.push(format!("cargo build --release --manifest-path {folder}/Cargo.toml"));
        } else if self.shell {
            steps.push(format!("sh {folder}/test_stage.sh"));
        } else {
            steps.push(format!("python3 -m unittest discover {folder}"));
        }
        if !wired {
            let name = &self.name;
            steps.push(format!("add it to a pipeline: [stages.{name}] with inputs.texts = a source"));
        }
        steps.push(format!("callsheet run {}", self.name));
        let steps: Vec<String> =
            steps.iter().enumerate().map(|(n, step)| format!("  {}. {step}", n + 1)).collect();
        print_text(&format!("\nNext steps:\n{}", steps.join("\n")));
    }
}

/// A path as seen from a folder; both are absolute.
fn relative(path: &Path, from: &Path) -> PathBuf {
    let shared = path.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..");
    up.map(PathBuf::from).chain([path.components().skip(shared).collect()]).collect()
}
