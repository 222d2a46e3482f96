//! Commands that a project declares: `callsheet NAME` starts the program of a command.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::snapshot::assert_output;
use crate::support::Project;

/// A project with a command `greet`, which prints its arguments and the data folder, and calls the engine.
fn with_greet() -> Project {
    let project = Project::new();
    let program = project.path("bin/greeter");
    fs::create_dir_all(program.with_file_name("")).expect("created");
    let script = "#!/bin/sh\necho \"$@\"\necho \"data: $(basename \"$CALLSHEET_DATA\")\"\n\"$CALLSHEET\" datasets\nexit 7\n";
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let settings = project.path("callsheet.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let commands = "[commands]\ngreet = { program = \"greeter\", summary = \"Greet somebody\" }\n";
    fs::write(&settings, format!("path = [\"bin\"]\n{text}\n{commands}")).expect("written");
    project
}

fn said(project: &Project, arguments: &[&str]) -> (Option<i32>, String) {
    let output = project.command(arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

#[test]
fn a_command_gets_its_arguments_and_finds_the_engine_and_the_data_folder() {
    let (code, said) = said(&with_greet(), &["greet", "--loudly", "you"]);
    assert_eq!(code, Some(7));
    assert_output!(said);
}

#[test]
fn help_lists_the_commands_of_the_project_under_their_own_heading() {
    let project = with_greet();
    for words in [&["--help"][..], &["help"], &[]] {
        let (_, said) = said(&project, words);
        let (_, own) = said.split_once("Commands of this project:\n").expect("a heading");
        assert_eq!(own.lines().next(), Some("  greet  Greet somebody"), "{said}");
    }
    let (_, without) = said(&Project::new(), &["--help"]);
    assert!(!without.contains("Commands of this project"), "{without}");
}

#[test]
fn a_command_that_does_not_exist_is_refused_with_the_nearest() {
    let (code, refused) = said(&with_greet(), &["gret"]);
    assert_eq!(code, Some(2));
    let (_, without) = said(&Project::new(), &["greet"]);
    let (_, built_in) = said(&Project::new(), &["rnu", "--jobs", "1"]);
    assert_output!([refused, without, built_in].concat());
}

#[test]
fn invalid_command_names_and_malformed_settings_are_refused_with_their_line() {
    let project = with_greet();
    let settings = project.path("callsheet.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let refused = [
        ("greet =", "\"--greet\" ="),
        ("summary =", "sumary ="),
        ("greet =", "run ="),
        ("Greet somebody", "Greet\\u001b[2J"),
    ]
    .map(|(right, wrong)| {
        fs::write(&settings, text.replace(right, wrong)).expect("written");
        let (code, said) = said(&project, &["greet"]);
        assert_eq!(code, Some(2));
        said
    });
    assert_output!(refused.concat());
}

#[test]
fn help_of_a_command_is_that_of_its_program_and_callsheet_does_not_start_itself() {
    let project = with_greet();
    let (_, help) = said(&project, &["help", "greet"]);
    assert_eq!(help.lines().next(), Some("greet --help"), "{help}");
    let settings = project.path("callsheet.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let itself = format!("{text}\n[programs]\ngreeter = \"{}\"\n", env!("CARGO_BIN_EXE_callsheet"));
    fs::write(&settings, itself).expect("written");
    let (code, refused) = said(&project, &["greet"]);
    assert_eq!(code, Some(2));
    assert_output!(refused);
}

#[test]
fn a_command_whose_program_is_not_built_is_refused_with_the_remedy() {
    let project = with_greet();
    fs::remove_file(project.path("bin/greeter")).expect("removed");
    let (code, said) = said(&project, &["greet"]);
    assert_eq!(code, Some(2));
    assert_output!(said);
}
