//! `callsheet new stage`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::print_text;
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::fresh::{is_python_package, write_all};
use super::schema::{has_schemas, with_reference};
use crate::declare::{Project, is_name};

/// Create a working stage with its test
#[derive(Args)]
pub(super) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Stage(NewStage),
}

/// Create a working stage with its test in the project's folder of stages
///
/// The new stage counts the words of text files. Replace its code and its stage.toml with your own. In a project without
/// pipelines, the command also writes a pipeline that contains this stage, and an example text file as its input.
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet new stage clean_orders                 a Python stage
  callsheet new stage clean_orders --shell         a shell script
  callsheet new stage clean_orders --rust --worker ../callsheet/worker
  callsheet run clean_orders                       run the new stage")]
struct NewStage {
    /// Name of the stage and of its folder: letters, digits and `_`, beginning with a letter
    name: String,
    /// Write the stage in Python, with the package callsheet [default if callsheet is installed as a Python package]
    #[arg(long)]
    python: bool,
    /// Write the stage in Python, without packages [default otherwise]
    #[arg(long, conflicts_with = "python")]
    plain: bool,
    /// Write the stage in Rust, as a package that depends on callsheet-worker
    #[arg(long, conflicts_with_all = ["python", "plain"])]
    rust: bool,
    /// Write the stage as a shell script
    #[arg(long, conflicts_with_all = ["python", "plain", "rust"])]
    shell: bool,
    /// Local folder of the package callsheet-worker, for --rust [default: cargo fetches the package from
    /// crates.io, in the version of this program]
    #[arg(long, value_name = "FOLDER", requires = "rust")]
    worker: Option<PathBuf>,
}

/// Name and text of a file. In both, `@NAME@` is replaced by the stage's name, and `@WORKER@` by the dependency of a stage
/// in Rust.
type Template = (&'static str, &'static str);

const PYTHON: [Template; 3] = [
    ("stage.toml", include_str!("new/python/stage.toml")),
    ("stage.py", include_str!("new/python/stage.py")),
    ("test_@NAME@.py", include_str!("new/python/test_stage.py")),
];
const PLAIN: [Template; 3] = [
    ("stage.toml", include_str!("new/plain/stage.toml")),
    ("stage.py", include_str!("new/plain/stage.py")),
    ("test_@NAME@.py", include_str!("new/plain/test_stage.py")),
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

/// Reserved names: keywords of Rust, names that cargo forbids for packages, and names that callsheet uses.
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

/// Example text for the first stage of a project.
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
            _ if self.python || !self.plain && is_python_package() => &PYTHON,
            _ => &PLAIN,
        };
        let worker = self.worker(&project.root.join(&folder))?;
        let filled = |text: &str| text.replace("@NAME@", &self.name).replace("@WORKER@", &worker);
        let mut files: Vec<(PathBuf, String)> =
            templates.iter().map(|(name, text)| (folder.join(filled(name)), filled(text))).collect();
        let first = self.first_pipeline(&project);
        files.extend(first.iter().flatten().cloned());
        let taken = [folder.clone()].into_iter().chain(files.iter().map(|(path, _)| path.clone()));
        if let Some(path) = taken.into_iter().find(|path| project.root.join(path).exists()) {
            let message = format!("`{}` already exists; nothing was written", path.display());
            return Err(Error::user_error(Code::Conflict, message, "choose another name"));
        }
        if has_schemas(&project.root) {
            files.iter_mut().for_each(|(path, text)| *text = with_reference(path, text));
        }
        write_all(&project.root, &files)?;
        self.print_next_steps(&project, &folder, first.is_some());
        Ok(SUCCESS)
    }

    /// Returns the first pipeline of a project, with this stage, and an example text. Returns `None` if the
    /// project has a pipeline, or if no pattern below the project can name its raw files.
    fn first_pipeline(&self, project: &Project) -> Option<Vec<(PathBuf, String)>> {
        let data = project.data.strip_prefix(&project.root).ok()?.to_str()?;
        if !project.pipeline_names().is_empty() || data.contains(['*', '?', '[', '{', '}']) {
            return None;
        }
        let quoted = |text: String| toml::Value::from(text).to_string();
        let (path, hint) = (format!("{data}/raw/*.txt"), format!("put text files into {data}/raw"));
        let wiring = format!(
            "summary = \"Counts the words of text files\"\n\n[sources.texts]\npath = {}\nhint = {}\n\n\
             [stages.{}]\ninputs.texts = \"texts\"\n",
            quoted(path),
            quoted(hint),
            self.name
        );
        let mut files = vec![(project.pipelines.join(format!("{}.toml", self.name)), wiring)];
        let text = Path::new(data).join("raw/example.txt");
        if !project.root.join(&text).exists() {
            files.push((text, EXAMPLE.to_owned()));
        }
        Some(files)
    }

    /// Checks that the name is valid in all three languages, so that the stage can be rewritten later.
    fn check_name(&self) -> Result<()> {
        let plain = !self.name.contains('-') && self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        if RESERVED.contains(&self.name.as_str()) {
            let message = format!("`{}` is a reserved word and not a valid name for a new stage", self.name);
            let help = format!("choose another name, e.g. `{}_stage`", self.name);
            return Err(Error::user_error(Code::InvalidValue, message, help));
        }
        if is_name(&self.name) && plain {
            return Ok(());
        }
        let suggested: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(100).collect();
        let suggested = suggested.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let like = if suggested.is_empty() { "clean_orders" } else { suggested };
        Err(Error::user_error(
            Code::InvalidValue,
            format!("`{}` is not a valid name for a new stage", self.name),
            format!("use letters, digits and `_`, at most 100, beginning with a letter, e.g. `{like}`"),
        ))
    }

    /// Returns the dependency on callsheet-worker for the Cargo.toml of a stage in Rust.
    fn worker(&self, stage: &Path) -> Result<String> {
        let Some(folder) = &self.worker else {
            return Ok(format!("\"{}\"", env!("CARGO_PKG_VERSION")));
        };
        let manifest = folder.join("Cargo.toml");
        let text = match fs::read_to_string(&manifest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.io_context("cannot read", &manifest)?,
        };
        if !text.lines().any(|line| line.trim() == "name = \"callsheet-worker\"") {
            let message = format!("`{}` is not the folder of the package callsheet-worker", folder.display());
            return Err(Error::user_error(
                Code::InvalidValue,
                message,
                "name the folder of that package, e.g. `--worker ../callsheet/worker`",
            ));
        }
        let folder = folder.canonicalize().io_context("cannot find", folder)?;
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
            steps.push(format!("add the stage to a pipeline: [stages.{name}] with inputs.texts = a source"));
        }
        steps.push(format!("callsheet run {}", self.name));
        let steps: Vec<String> =
            steps.iter().enumerate().map(|(n, step)| format!("  {}. {step}", n + 1)).collect();
        print_text(&format!("\nNext steps:\n{}", steps.join("\n")));
    }
}

/// Returns `path` relative to the folder `from`; both are absolute.
fn relative(path: &Path, from: &Path) -> PathBuf {
    let shared = path.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..");
    up.map(PathBuf::from).chain([path.components().skip(shared).collect()]).collect()
}
