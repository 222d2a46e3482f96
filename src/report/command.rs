//! The command line of a run.

use crate::store::RunRecord;

/// The command of a run, with what is to follow, in the words of a shell.
pub(super) fn command(run: &RunRecord, more: &[String]) -> String {
    let options = [("--pipeline", &run.pipeline), ("--dataset", &run.dataset), ("--profile", &run.profile)];
    let options = options.into_iter().filter(|(_, name)| !name.is_empty());
    let set = run.set.iter().map(|set| ("--set", set));
    let options = options.chain(set).map(|(option, value)| format!(" {option} {}", quoted(value)));
    let more = more.iter().map(|word| format!(" {}", quoted(word)));
    format!("callsheet run{}", options.chain(more).collect::<String>())
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=@:,+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
