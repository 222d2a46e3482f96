//! Terminals, users and hosts.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{MAIN, Project};

#[test]
fn a_run_under_nohup_survives_the_end_of_its_terminal() {
    for (ignore, code) in [("trap '' HUP; ", Some(0)), ("", Some(130))] {
        let project = Project::minimal();
        project.write("data/raw/a.txt", "a\n");
        project.write("stages/copy/copy.sh", "sleep 2; cat \"$2\" > \"$1\"\n");
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{ignore}exec \"$0\" run \"$@\""), env!("CARGO_BIN_EXE_callsheet")])
            .args(MAIN);
        let mut run = command.current_dir(project.path("")).stderr(Stdio::null()).spawn().expect("it starts");
        sleep(Duration::from_millis(800));
        let hung_up =
            Command::new("kill").args(["-HUP", &run.id().to_string()]).status().expect("kill starts");
        assert!(hung_up.success());
        assert_eq!(run.wait().expect("ended").code(), code, "{ignore}");
    }
}
