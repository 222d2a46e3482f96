//! Snapshots of outputs: one reviewed file per output, so a change of wording is a diff. `make snapshots`
//! writes them.

use insta::Settings;

/// Replaces folders, times, durations, digests, process numbers and memory, which differ from run to run.
pub(crate) fn settings() -> Settings {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    // The stages and the viewer are packages one folder below.
    let repository =
        if repository.join("deny.toml").exists() { Some(repository) } else { repository.parent() };
    let repository = repository.expect("a folder").display().to_string();
    let escaped = |c: char| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") };
    let repository = repository.chars().map(escaped).collect::<String>() + r"\b";
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(true);
    settings.set_omit_expression(true);
    for (pattern, replacement) in [
        (r#"[^\s"'(`]*/\.tmp[A-Za-z0-9]{6}"#, "[folder]"),
        (&*repository, "[repository]"),
        (r"\d{4}-\d\d-\d\dT\d\d[:-]\d\d[:-]\d\d(\.\d+)?Z(-[a-z0-9-]*-[0-9a-f]{6})?", "[time]"),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{12}\b", "[digest]"),
        // The padding of a column depends on the width of its values, so it is replaced, too.
        (r" {2,}\d+(\.\d+)? (ms|s|min|h)( \d+ (s|min))?\b", "  [duration]"),
        (r"\b\d+(\.\d+)? (ms|s|min|h)( \d+ (s|min))? {2,}", "[duration]  "),
        (r"\b\d+(\.\d+)? (ms|s|min|h)( \d+ (s|min))?\b", "[duration]"),
        // An estimate is one duration or a range, by what earlier runs took.
        (r"about \[duration\] to \[duration\]|up to \[duration\]", "about [duration]"),
        (r"\b\d+(\.\d+)? [kMG]?B of memory, \d+ CPUs, on \S+", "[size] of memory, [number] CPUs, on [host]"),
        (r"/objects/[0-9a-f]{2}/", "/objects/[..]/"),
        (r"\d+(\.\d+)? % of the time", "[share] of the time"),
        (r"process \d+", "process [number]"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings
}

/// Asserts that an output equals its reviewed snapshot.
macro_rules! assert_output {
    ($output:expr) => {
        crate::snapshot::settings().bind(|| insta::assert_snapshot!($output))
    };
}
pub(crate) use assert_output;
