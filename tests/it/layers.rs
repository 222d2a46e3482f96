//! Tests of the engine's layers, and of all packages: files must not use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::uses::{Graph, graph};

/// Folders of the packages' code.
const PACKAGES: [&str; 8] =
    ["src", "panics/src", "worker/src", "figures/src", "pictures/src", "stages", "inspect/src", "serve/src"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Layers in the order of the table in `src/lib.rs`, from bottom to top.
fn layers() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("the library");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

/// Layer of a file: the folder or file of `src` that it belongs to.
fn layer(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    Some(inside.components().next()?.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned())
}

#[test]
fn the_table_of_layers_lists_every_module() {
    let mut listed = layers();
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("the library");
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut modules: Vec<&str> = modules.collect();
    modules.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, modules);
}

#[test]
fn no_file_of_the_engine_uses_a_layer_above_its_own() {
    let layers = layers();
    let height = |path: &Path| layers.iter().position(|known| Some(known) == layer(path).as_ref());
    let mut upward = Vec::new();
    for (file, used) in graph(&root().join("src")) {
        for (other, names) in used {
            if let (Some(own), Some(above)) = (height(&file), height(&other))
                && above > own
            {
                upward.push(format!("{} uses {names:?} of {}", shown(&file), shown(&other)));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circles = PACKAGES.into_iter().flat_map(|package| circles(&graph(&root().join(package))));
    let circles: Vec<String> = circles.collect();
    assert!(circles.is_empty(), "{}", circles.join("\n\n"));
}

/// Reads of the file system and the environment that no trace contains.
const UNTRACED: [&str; 22] = [
    "fs::read",
    "fs::metadata",
    "fs::symlink_metadata",
    "fs::canonicalize",
    "fs::exists",
    "File::open",
    "OpenOptions",
    "glob::glob",
    "env::var",
    "path.is_file()",
    "path.is_dir()",
    "path.exists()",
    "path.is_symlink()",
    "folder.is_dir()",
    "file.exists()",
    ".canonicalize()",
    ").is_file()",
    ").is_dir()",
    ").exists()",
    ".try_exists()",
    ".read_dir()",
    ".read_link()",
];

/// Files that decide what a run does. Other files of these layers are used only after that, or by other commands.
const DECIDES: [&str; 6] = [
    "src/declare",
    "src/plan",
    "src/store/stored_tree.rs",
    "src/run/owner.rs",
    "src/run/preview.rs",
    "src/key.rs",
];

#[test]
fn what_decides_about_a_run_is_read_with_a_trace() {
    let mut problems = Vec::new();
    let of_run = |file: &PathBuf| DECIDES.iter().any(|path| file.starts_with(root().join(path)));
    // This file changes a declaration, for a command.
    let of_command = |file: &PathBuf| file.ends_with("src/declare/store_key.rs");
    for file in graph(&root().join("src")).into_keys().filter(|file| of_run(file) && !of_command(file)) {
        let text = fs::read_to_string(&file).expect("code");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            if UNTRACED.iter().any(|way| line.contains(way)) && !line.contains("trace::") {
                problems.push(format!("{}:{}: {}", shown(&file), number + 1, line.trim()));
            }
        }
    }
    assert!(problems.is_empty(), "read through crate::trace:\n{}", problems.join("\n"));
}

#[test]
fn an_import_upward_and_a_circle_are_found() {
    let project = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).expect("written");
    write("lib.rs", "mod a;\nmod b;\n");
    write(
        "a.rs",
        "#[expect(reason = \"in use \")]\nuse crate::b::{self, B};\npub struct A(B);\nfn f() { b::g() }\n",
    );
    write("b.rs", "pub(crate) use crate::a::A;\npub struct B;\npub fn g() -> A { todo!() }\n");
    let graph = graph(project.path());
    let names = |from: &str, to: &str| graph[&project.path().join(from)][&project.path().join(to)].clone();
    assert_eq!(names("a.rs", "b.rs"), BTreeSet::from(["B".to_owned(), "g".to_owned()]));
    assert_eq!(names("b.rs", "a.rs"), BTreeSet::from(["A".to_owned()]));
    assert_eq!(circles(&graph).len(), 1);
}

/// Words of the flagship pipeline's field, which the engine's code must not contain.
const FOREIGN: [&str; 8] = ["crop", "frame", "gan", "generator", "loss", "lpips", "timelapse", "vgg"];

#[test]
fn the_engine_names_no_frames_crops_generators_or_losses() {
    let mut found = Vec::new();
    let mut files = Vec::new();
    files_below(&root().join("src"), &mut files);
    for file in &files {
        let text = fs::read_to_string(file).expect("UTF-8");
        // The crate schemars has a type SchemaGenerator.
        for (number, line) in text.replace("SchemaGenerator", "").lines().enumerate() {
            let words = words(line).into_iter().filter(|word| FOREIGN.contains(&word.as_str()));
            found.extend(words.map(|word| format!("{}:{}: {word}", shown(file), number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Words of a line, in the singular and in lower case. `FrameReader` is two words.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in line.chars() {
        if !c.is_alphabetic()
            || c.is_uppercase() && words.last().is_some_and(|word| word.ends_with(char::is_lowercase))
        {
            words.push(String::new());
        }
        if c.is_alphabetic() {
            words.last_mut().expect("one").push(c);
        }
    }
    let singular = |word: String| {
        let word = word.to_lowercase();
        word.strip_suffix("es")
            .filter(|stem| FOREIGN.contains(stem))
            .or(word.strip_suffix('s'))
            .filter(|stem| FOREIGN.contains(stem))
            .unwrap_or(&word)
            .to_owned()
    };
    words.into_iter().map(singular).collect()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => files_below(&path, found),
            path => found.push(path),
        }
    }
}

/// Groups of files that use each other in a circle, with the names that they use.
fn circles(graph: &Graph) -> Vec<String> {
    let reach: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        graph.keys().map(|file| (file, reached(graph, file))).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in graph.keys().filter(|file| reach[*file].contains(file)) {
        let circle: BTreeSet<&PathBuf> =
            reach[file].iter().copied().filter(|other| reach[*other].contains(file)).collect();
        if seen.insert(circle.clone()) {
            let ties =
                circle.iter().flat_map(|from| graph[*from].iter().map(move |(to, names)| (from, to, names)));
            let ties = ties.filter(|(_, to, _)| circle.contains(to));
            let ties =
                ties.map(|(from, to, names)| format!("  {} uses {names:?} of {}", shown(from), shown(to)));
            circles.push(format!(
                "a circle of {} files:\n{}",
                circle.len(),
                ties.collect::<Vec<_>>().join("\n")
            ));
        }
    }
    circles
}

/// Files that a file uses, directly or through other files.
fn reached<'g>(graph: &'g Graph, file: &PathBuf) -> BTreeSet<&'g PathBuf> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&PathBuf> = graph[file].keys().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(graph.get(next).into_iter().flat_map(BTreeMap::keys));
        }
    }
    reached
}
