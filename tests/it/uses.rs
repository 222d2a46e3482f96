//! Graph of the files of a package that use each other, read from the imports in their text. Names are
//! followed through re-exports to the file that defines them. Test modules inside files are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Names of a path, from the crate's root on.
type Names = Vec<String>;

/// For each file, the files that it uses, and the names that it uses of them.
pub(crate) type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Text of a file, and the names that it declares.
#[derive(Default)]
struct Module {
    path: PathBuf,
    text: String,
    defined: BTreeSet<String>,
    /// Names that the file re-exports; a glob has the name `*`.
    exported: Vec<(String, Names)>,
    imported: Vec<(String, Names)>,
}

/// Reads a package: the files below `root`, and the names that they use of each other.
pub(crate) fn graph(root: &Path) -> Graph {
    let mut modules: BTreeMap<Names, Module> = BTreeMap::new();
    collect(root, root, &mut modules);
    let names: BTreeSet<Names> = modules.keys().cloned().collect();
    for (name, module) in &mut modules {
        declare(name, module, &names);
    }
    let used = |(name, module): (&Names, &Module)| {
        let mut used: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        // A re-export counts only if the file uses the name itself.
        let reexported = module.exported.iter().filter(|(name, _)| uses_itself(module, name));
        let imported = module.imported.iter().chain(reexported).map(|(_, path)| path.clone());
        for path in imported.chain(inline(name, module, &names)) {
            if let Some((file, item)) = resolve(&path, &modules)
                && file != module.path
            {
                used.entry(file).or_default().insert(item);
            }
        }
        (module.path.clone(), used)
    };
    modules.iter().map(used).collect()
}

fn collect(root: &Path, folder: &Path, modules: &mut BTreeMap<Names, Module>) {
    for entry in fs::read_dir(folder).expect("a folder of code") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts = path.strip_prefix(root).expect("below it").with_extension("");
            let mut name: Names = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if name.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) || name == ["main"] {
                name.pop();
            }
            let text = fs::read_to_string(&path).expect("UTF-8");
            let text: String =
                text.lines().map(|line| line.split("//").next().unwrap_or(line).to_owned() + "\n").collect();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            // If the package has a library, main.rs is not a module of it.
            if !(parts == Path::new("main") && root.join("lib.rs").exists()) {
                modules.insert(name, Module { path, text, ..Module::default() });
            }
        }
    }
}

/// Returns true if a module uses a name outside of its imports: a type, or a function that it calls.
fn uses_itself(module: &Module, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let code = code(module);
    if name.starts_with(char::is_uppercase) {
        return code.split(|c| !word(c)).any(|found| found == name);
    }
    let call = format!("{name}(");
    let calls = code.match_indices(&call).map(|(at, _)| code[..at].trim_end_matches(' '));
    calls.into_iter().any(|before| !before.ends_with(|c: char| word(c) || c == '.' || c == ':'))
}

/// Text of a module without its imports.
fn code(module: &Module) -> String {
    let import = |part: &&str| without_visibility(part.trim_start()).0.starts_with("use ");
    module.text.split(';').filter(|part| !import(part)).collect()
}

/// Finds the names that a module defines, imports and re-exports.
fn declare(name: &Names, module: &mut Module, names: &BTreeSet<Names>) {
    let text = module.text.clone();
    for line in text.lines().map(str::trim_start) {
        let line = without_visibility(line).0;
        let words: Vec<&str> =
            line.split_whitespace().filter(|word| !["async", "unsafe", "const"].contains(word)).collect();
        let kinds = ["struct", "enum", "fn", "trait", "type", "static", "union"];
        let item = match words.as_slice() {
            [kind, item, ..] if kinds.contains(kind) => Some(*item),
            [item, ..] if line.starts_with("const ") => Some(*item),
            _ => None,
        };
        let end = |c: char| !(c.is_alphanumeric() || c == '_');
        module.defined.extend(item.map(|item| item.split(end).next().unwrap_or(item).to_owned()));
    }
    let mut rest = text.as_str();
    while let Some(at) = rest.find("use ") {
        let start = rest[..at].rfind('\n').map_or(0, |line| line + 1);
        let (statement, after) = rest[at..].split_once(';').unwrap_or((&rest[at..], ""));
        let (before, visible) = without_visibility(rest[start..at].trim());
        if before.is_empty() {
            for (path, alias) in tree(&statement["use ".len()..]) {
                if let Some(path) = absolute(name, &path, names) {
                    let list = if visible { &mut module.exported } else { &mut module.imported };
                    list.push((alias, path));
                }
            }
            rest = after;
        } else {
            // The match is part of a text.
            rest = &rest[at + "use ".len()..];
        }
    }
}

/// A line without `pub` or `pub(..)`, and true if it had one.
fn without_visibility(line: &str) -> (&str, bool) {
    let Some(rest) = line.strip_prefix("pub") else { return (line, false) };
    match rest.strip_prefix('(') {
        Some(scope) => (scope.split_once(')').map_or("", |(_, rest)| rest).trim_start(), true),
        None => (rest.trim_start(), true),
    }
}

/// Paths of a `use` declaration, each with the name that it introduces.
fn tree(text: &str) -> Vec<(Names, String)> {
    let text = text.trim();
    if let Some((before, inside)) = text.split_once('{') {
        let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
        let before: Names = before
            .split("::")
            .filter(|name| !name.trim().is_empty())
            .map(|name| name.trim().to_owned())
            .collect();
        let paths = commas(inside).into_iter().flat_map(tree);
        let joined = |(path, alias): (Names, String)| {
            let path = [before.clone(), path].concat();
            // `a::{self}` is `a`.
            let alias = if alias.is_empty() { path.last().cloned().unwrap_or_default() } else { alias };
            (path, alias)
        };
        return paths.map(joined).collect();
    }
    let (path, alias) = text.split_once(" as ").unwrap_or((text, ""));
    let path: Names = path.split("::").map(|name| name.trim().to_owned()).collect();
    let last = path.last().cloned().unwrap_or_default();
    if last.is_empty() {
        return Vec::new();
    }
    let path = if last == "self" { path[..path.len() - 1].to_vec() } else { path };
    let last = path.last().cloned().unwrap_or_default();
    vec![(path, if alias.is_empty() { last } else { alias.trim().to_owned() })]
}

/// Parts between the commas that are outside of braces.
fn commas(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Resolves a path of the module `name` from the crate's root on; none for a path of another crate.
fn absolute(name: &Names, path: &[String], names: &BTreeSet<Names>) -> Option<Names> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([name, rest].concat()),
        "super" => {
            let ups = path.iter().take_while(|word| *word == "super").count();
            let parent = name.get(..name.len().checked_sub(ups)?)?;
            Some([parent, &path[ups..]].concat())
        }
        _ => names.contains(&[name.as_slice(), &path[..1]].concat()).then(|| [name, path].concat()),
    }
}

/// Paths in the code outside of imports.
fn inline(name: &Names, module: &Module, names: &BTreeSet<Names>) -> Vec<Names> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let code = code(module);
    let paths = code.split(|c| !word(c)).filter(|path| path.contains("::") && !path.starts_with("::"));
    let full = |path: &str| {
        let path: Names = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let alias = module.imported.iter().find(|(alias, _)| Some(alias) == path.first());
        match alias {
            Some((_, imported)) => Some([imported, &path[1..]].concat()),
            None => absolute(name, &path, names),
        }
    };
    paths.filter_map(full).collect()
}

/// File that defines the item of a path, and the item's name; none if the path names only a module.
fn resolve(path: &[String], modules: &BTreeMap<Names, Module>) -> Option<(PathBuf, String)> {
    let depth = (0..=path.len()).rev().find(|depth| modules.contains_key(&path[..*depth]))?;
    let (module, rest) = (&modules[&path[..depth]], &path[depth..]);
    let item = rest.first()?;
    if item == "*" {
        // A glob uses the module's file if the file defines anything.
        return (!module.defined.is_empty()).then(|| (module.path.clone(), item.clone()));
    }
    if let Some((_, target)) = module.exported.iter().find(|(name, _)| name == item) {
        return resolve(&[target, &rest[1..]].concat(), modules);
    }
    if module.defined.contains(item) {
        return Some((module.path.clone(), item.clone()));
    }
    let globs = module.exported.iter().filter(|(name, _)| name == "*");
    globs.into_iter().find_map(|(_, target)| resolve(&[&target[..target.len() - 1], rest].concat(), modules))
}
