//! `callsheet store`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::{print_json, print_text, say, table};
use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{DAMAGED, SUCCESS};
use super::hash_progress::HashProgress;
use crate::declare::{Bytes, PROJECT_FILE, Project, remove_store_key, write_store_key};
use crate::store::{
    CopiedResults, Kept, SharedProject, SharedRun, SharedStatus, Store, StoreCheck, check_store,
};
use callsheet_figures::label::counted;

/// Share results with other users and machines through a folder
#[derive(Args)]
#[command(after_help = "\
Without a subcommand, lists the projects and the runs of the shared store. The folder must belong to a group whose members
trust each other: `mkdir -p FOLDER && chgrp GROUP FOLDER && chmod 2775 FOLDER`.

Examples:
  callsheet store attach /project/group/callsheet    look results up there, and keep new results there
  callsheet store                                    projects that use this store, and runs that compute for it
  callsheet store check                              check the file system, together with a second machine
  callsheet store detach                             copy what this project needs, and go on without the shared store")]
pub(super) struct StoreCommand {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Let this project use a shared store; its earlier results stay where they are and are still used
    Attach {
        /// Folder of the shared store
        folder: PathBuf,
    },
    /// Copy the results that this project needs to its own store, and stop using the shared one
    Detach,
    /// Check what a file system guarantees to two machines: start this command on both at the same time
    Check {
        /// Folder to check [default: the shared store of this project]
        folder: Option<PathBuf>,
        /// Start the second process here, with this mount of the same folder
        #[arg(long, value_name = "MOUNT")]
        with: Option<PathBuf>,
        /// Time to wait for the second process
        #[arg(long, value_name = "TIME", default_value = "2min", value_parser = humantime::parse_duration)]
        wait: Duration,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl StoreCommand {
    pub(super) fn execute(&self) -> Result<u8> {
        match &self.action {
            None => self.status(),
            Some(Action::Attach { folder }) => attach(folder),
            Some(Action::Detach) => detach(),
            Some(Action::Check { folder, with, wait, json }) => {
                check(folder.as_deref(), with.as_deref(), *wait, *json)
            }
        }
    }

    fn status(&self) -> Result<u8> {
        let project = Project::find()?;
        let status = Store::of(&project)?.shared_status()?;
        if self.json {
            print_json(&json!({ "shared": status }));
            return Ok(SUCCESS);
        }
        let Some(SharedStatus { path, projects, runs }) = status else {
            let own = project.data.join("store");
            print_text(&format!("results are kept in {}", own.display()));
            print_text("share them with `callsheet store attach FOLDER`");
            return Ok(SUCCESS);
        };
        print_text(&format!("shared store: {}", path.display()));
        let seen = |seconds| humantime::format_duration(Duration::from_secs(seconds / 60 * 60)).to_string();
        let of_project =
            |SharedProject { path, user, host, seen_seconds_ago: age, results }: SharedProject| {
                let folder = path.parent().unwrap_or(&path).display().to_string();
                vec![folder, user, host, counted(results as u64, "result"), format!("seen {} ago", seen(age))]
            };
        print_text(&format!("\n{}", counted(projects.len() as u64, "project")));
        let mut rows: Vec<Vec<String>> = projects.into_iter().map(of_project).collect();
        rows.sort();
        print_rows(rows, &[3]);
        print_text(&format!("\n{}", counted(runs.len() as u64, "run")));
        let of_run = |SharedRun { id, user, host, progress }: SharedRun| {
            let progress: BTreeSet<String> = progress.into_values().collect();
            vec![id, user, host, progress.into_iter().collect::<Vec<_>>().join(", ")]
        };
        print_rows(runs.into_iter().map(of_run).collect(), &[]);
        Ok(SUCCESS)
    }
}

fn print_rows(rows: Vec<Vec<String>>, right: &[usize]) {
    if !rows.is_empty() {
        print_text(&table(rows, right));
    }
}

fn attach(folder: &Path) -> Result<u8> {
    let project = Project::find()?;
    if let Some(store) = &project.store {
        return Err(Error::user_error(
            Code::Conflict,
            format!("this project uses the shared store {} already", store.display()),
            "run `callsheet store detach` first",
        ));
    }
    let folder =
        folder.canonicalize().or_else(|_| std::path::absolute(folder)).io_context("cannot find", folder)?;
    if folder.to_str().is_none() {
        let message = format!("the path of the shared store, `{}`, is not UTF-8", folder.display());
        return Err(Error::user_error(Code::Unsupported, message, "use a folder with a plain name"));
    }
    let store = Store::open_shared(&project.data.join("store"), &folder)?;
    store.create()?;
    store.register(true)?;
    write_store_key(&project.root, &folder)?;
    print_text(&format!("new results are kept in {}; earlier ones are still used", folder.display()));
    print_text("check its file system with `callsheet store check`, on two machines at the same time");
    Ok(SUCCESS)
}

fn detach() -> Result<u8> {
    let project = Project::find()?;
    let Some(folder) = &project.store else {
        return Err(Error::user_error(
            Code::Conflict,
            "this project uses no shared store",
            "`callsheet store attach FOLDER` lets it use one",
        ));
    };
    if let Some(file) = project.store_file.as_ref().filter(|file| **file != project.root.join(PROJECT_FILE)) {
        return Err(Error::user_error(
            Code::Conflict,
            format!("{} lets all your projects use the shared store {}", file.display(), folder.display()),
            "remove `store` from that file; to keep the results of this project, first write the same `store` into its \
             callsheet.toml, and run `callsheet store detach` after you have removed the other",
        ));
    }
    let store = match Store::of(&project) {
        Ok(store) => store,
        Err(error) if !folder.is_dir() => {
            remove_store_key(&project.root)?;
            say(&format!("{error}, so nothing was copied from it"));
            print_text(
                "this project does not use the shared store any more; the next run recomputes what is missing",
            );
            return Ok(SUCCESS);
        }
        Err(error) => return Err(error),
    };
    let _alone = store.exclusive()?;
    let mut progress = HashProgress::new("copying results");
    let copied = store.copy_needed(&project.data, |done, all| progress.show(done, all))?;
    drop(progress);
    let CopiedResults { results, bytes, damaged } = copied;
    if !damaged.is_empty() {
        say(&format!(
            "damaged in the shared store, and not copied: {}; the next run recomputes them",
            damaged.join(", ")
        ));
    }
    print_text(&format!(
        "{} ({}) copied from {}",
        counted(results as u64, "result"),
        Bytes(bytes),
        folder.display()
    ));
    remove_store_key(&project.root)?;
    store.unregister()?;
    print_text("this project does not use the shared store any more");
    Ok(SUCCESS)
}

fn check(folder: Option<&Path>, with: Option<&Path>, wait: Duration, json: bool) -> Result<u8> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => Project::find()?.store.ok_or_else(|| {
            Error::user_error(
                Code::MissingArgument,
                "this project uses no shared store",
                "name a folder: `callsheet store check FOLDER`",
            )
        })?,
    };
    if let Some(folder) = [Some(&*folder), with].into_iter().flatten().find(|folder| !folder.is_dir()) {
        let message = format!("{} is not a folder", folder.display());
        return Err(Error::user_error(Code::InvalidValue, message, "name a folder that both processes see"));
    }
    let second = with.map(|mount| second_process(mount, wait)).transpose()?;
    if second.is_none() && !json {
        say("waiting for `callsheet store check` on another machine");
    }
    let checked = check_store(&folder, wait);
    if let Some(mut second) = second {
        let _ = second.wait();
    }
    let checked = checked?;
    if json {
        print_json(&checked)
    } else {
        print_check(&checked)
    }
    Ok(if checked.is_usable() { SUCCESS } else { DAMAGED })
}

fn second_process(mount: &Path, wait: Duration) -> Result<Child> {
    let program = std::env::current_exe().io_context("cannot find", "callsheet")?;
    let mut command = Command::new(&program);
    command.args(["store", "check"]).arg(mount).arg("--wait").arg(format!("{}s", wait.as_secs()));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().io_context("cannot start", program)
}

pub(super) fn print_check(checked: &StoreCheck) {
    let exact = |(twice, of): (usize, usize)| match twice {
        0 => format!("exact: each of {of} names was made by one process"),
        twice => format!("NOT EXACT: {twice} of {of} names were made by both processes"),
    };
    let [first, second] = &checked.hosts;
    let rows = [
        (
            "processes",
            if first == second { format!("two on {first}") } else { format!("{first} and {second}") },
        ),
        ("exclusive create", exact(checked.created_twice)),
        ("link", exact(checked.linked_twice)),
        (
            "locks",
            if checked.locks_seen {
                "seen by the other process"
            } else {
                "not seen by the other process; callsheet does not need it"
            }
            .to_owned(),
        ),
        ("new names", format!("seen after {:.1} s where they were asked for before", checked.stale)),
        (
            "times",
            match checked.fractions {
                Kept::Kept => "fractions of seconds are kept",
                Kept::Lost => "fractions of seconds are lost, so that results are hashed before each use",
            }
            .to_owned(),
        ),
    ];
    print_text(&table(rows.map(|(what, found)| vec![what.to_owned(), found]), &[]));
    print_text(&match (checked.is_usable(), checked.expiry()) {
        (false, _) => {
            "this file system cannot hold a shared store: two runs may both commit a result".to_owned()
        }
        (true, Some(expiry)) => format!(
            "set `expiry = {expiry:.0}` in store.toml of this folder: runs must not count as dead while names are stale"
        ),
        (true, None) => "this file system can hold a shared store".to_owned(),
    });
}
