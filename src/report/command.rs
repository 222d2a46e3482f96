//! Command line of a run.

use shell_words::quote;

use crate::store::RunRecord;

/// Command line that repeats a run, with the arguments `more` at its end, quoted for a shell.
pub(super) fn command(run: &RunRecord, more: &[String]) -> String {
    let options = [
        ("--pipeline", &run.target.pipeline),
        ("--dataset", &run.target.dataset),
        ("--profile", &run.target.profile),
    ];
    let options = options.into_iter().filter(|(_, name)| !name.is_empty());
    let set = run.set.iter().map(|set| ("--set", set));
    let options = options.chain(set).map(|(option, value)| format!(" {option} {}", quote(value)));
    let more = more.iter().map(|word| format!(" {}", quote(word)));
    format!("callsheet run{}", options.chain(more).collect::<String>())
}
