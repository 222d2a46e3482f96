//! Programs that stages and commands name.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::protocol::{DATA_VARIABLE, ENGINE_VARIABLE};

use super::StageDecl;
use super::project::Project;
use super::python::{self, PythonDecl};
use crate::trace;

impl Project {
    /// Returns the absolute path of a program that a command names.
    ///
    /// # Errors
    /// Returns an error if the program is not built, or is not in any folder of the search path.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        if let Some(path) = self.programs.get(name) {
            return trace::is_file(path).then(|| path.clone()).ok_or_else(|| {
                let message =
                    format!("program `{name}` is not built: file `{}` does not exist", path.display());
                let help = if trace::is_file(&self.root.join("Makefile")) {
                    "run `make build`"
                } else {
                    "build the program, or correct its path under [programs] in callsheet.toml"
                };
                Error::user_error(Code::MissingProgram, message, help)
            });
        }
        // Thousands of stages may start one program.
        let mut known = self.on_path.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = known.get(name) {
            return Ok(path.clone());
        }
        let search = self.search_path(None);
        let mut found = env::split_paths(&search).map(|folder| self.root.join(folder).join(name));
        let found = found.find(|path| executable(path)).ok_or_else(|| {
            Error::user_error(
                Code::MissingProgram,
                format!("cannot start `{name}`: PATH contains no program with this name"),
                format!("install `{name}`, or set its path under [programs] in callsheet.toml"),
            )
        })?;
        known.insert(name.to_owned(), found.clone());
        Ok(found)
    }

    /// Returns the absolute path of the program that a stage starts. The programs of its Python environment precede
    /// all others.
    ///
    /// # Errors
    /// Returns an error if the environment does not exist, or in the cases of [`Self::program`].
    pub fn stage_program(&self, stage: &StageDecl) -> Result<PathBuf> {
        if stage.built_in {
            return engine();
        }
        let name = &stage.command[0];
        let own =
            stage.python.as_ref().map(|python| python::program(python, &stage.name, name)).transpose()?;
        own.flatten().map_or_else(|| self.program(name), Ok)
    }

    /// `PATH` of workers: the folder of the stage's Python environment, the project's folders, the folder of the
    /// environment in which callsheet is installed, then the system's.
    pub fn search_path(&self, python: Option<&PythonDecl>) -> OsString {
        let system = trace::var_os("PATH").unwrap_or_default();
        let own = python.map(PythonDecl::programs);
        // The folder of an activated environment is the first one already.
        let installed =
            installed_in().filter(|folder| env::split_paths(&system).next().as_ref() != Some(folder));
        let folders = own.into_iter().chain(self.path.iter().cloned()).chain(installed);
        let folders = folders.chain(env::split_paths(&system));
        env::join_paths(folders).unwrap_or(system)
    }
}

/// Returns the path of `callsheet`: of this program, or of the one that started this program of callsheet.
///
/// # Errors
/// Returns an error if the path of this program cannot be determined.
pub fn engine() -> Result<PathBuf> {
    let this = env::current_exe().io_context("cannot find", "callsheet")?;
    let is_other = this.file_stem().is_some_and(|name| name.as_encoded_bytes().starts_with(b"callsheet-"));
    let started_by = trace::var_os(ENGINE_VARIABLE).filter(|_| is_other);
    Ok(started_by.map_or(this, PathBuf::from))
}

/// Returns the folder of programs of the virtual environment in which callsheet is installed: `python3` of a stage is then
/// the one that has the package, also if the environment is not activated.
fn installed_in() -> Option<PathBuf> {
    let programs = env::current_exe().ok()?.parent()?.to_owned();
    trace::is_file(&programs.parent()?.join("pyvenv.cfg")).then_some(programs)
}

fn executable(path: &Path) -> bool {
    trace::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Returns the command that starts a program: the project's, or else the one in the folder of `callsheet`.
/// Its environment contains the path of `callsheet` and, in a project, the search path of workers and the
/// data folder.
///
/// # Errors
/// Returns an error if the program is not built or is not found, or if it is `callsheet`.
pub fn command(project: Option<&Project>, name: &str) -> Result<Command> {
    let engine = engine()?;
    let found = match project {
        Some(project) => project.program(name),
        None => Err(Error::user_error(
            Code::NoProject,
            format!("cannot find program `{name}`: this folder is not in a project"),
            "",
        )),
    };
    let next_to_engine = engine.with_file_name(name);
    let found = found
        .or_else(|error| if trace::is_file(&next_to_engine) { Ok(next_to_engine) } else { Err(error) })?;
    if trace::canonicalize(&found).ok() == trace::canonicalize(&engine).ok() {
        let message = format!("program `{name}` is callsheet itself, which would start itself endlessly");
        return Err(Error::user_error(
            Code::Declaration,
            message,
            "name another `program` for the command in callsheet.toml",
        ));
    }
    let mut command = Command::new(found);
    command.env(ENGINE_VARIABLE, engine);
    if let Some(project) = project {
        command.env("PATH", project.search_path(None)).env(DATA_VARIABLE, &project.data);
    }
    Ok(command)
}
