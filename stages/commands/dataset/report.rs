//! Report of a check of a dataset.

use std::collections::BTreeMap;

use callsheet_worker::print::{plain, print_json, print_text};
use serde::Serialize;

use super::expected::{Raw, Source};

/// Findings of one kind that are shown one by one; the rest are counted.
const SHOWN: usize = 5;

/// Something to mend.
#[derive(Serialize)]
pub(super) struct Finding {
    /// Name of the file; empty if it is about no single one.
    pub file: String,
    /// Kind of the fault, in a word.
    pub kind: String,
    /// The same with what was found.
    pub detail: String,
}

/// Report of a check of a dataset.
#[derive(Serialize)]
pub(super) struct Report {
    dataset: String,
    summary: String,
    files: usize,
    /// Images, and frames of videos.
    pub frames: usize,
    /// Files by the folder they lie in.
    pub splits: BTreeMap<String, usize>,
    expected: BTreeMap<String, usize>,
    /// Files by their size in pixels.
    pub sizes: BTreeMap<String, usize>,
    /// Files by what is uncommon of them and was seen to: EXIF rotation, transparency and so on.
    pub traits: BTreeMap<String, usize>,
    /// Faults to mend.
    pub findings: Vec<Finding>,
    /// Hint where to get missing files.
    obtain: Vec<String>,
}

impl Report {
    /// Nothing is found yet.
    pub(super) fn new(name: &str, raw: &Raw) -> Self {
        let obtain = raw.declared.sources.iter().map(|Source { pattern, obtain }| {
            match (obtain.as_str(), &raw.metadata.url) {
                ("", None) => pattern.clone(),
                ("", Some(url)) => format!("{pattern}, from {url}"),
                (obtain, None) => format!("{pattern}: {obtain}"),
                (obtain, Some(url)) => format!("{pattern}: {obtain} (from {url})"),
            }
        });
        Self {
            dataset: name.to_owned(),
            summary: raw.declared.summary.clone(),
            files: raw.declared.files.len(),
            frames: 0,
            splits: BTreeMap::new(),
            expected: raw.metadata.files.clone(),
            sizes: BTreeMap::new(),
            traits: BTreeMap::new(),
            findings: Vec::new(),
            obtain: obtain.collect(),
        }
    }

    /// Adds what is missing of the numbers that are expected.
    pub(super) fn count(&mut self, raw: &Raw) {
        let mut missing = |detail: String| {
            self.findings.push(Finding { file: String::new(), kind: "missing".to_owned(), detail });
        };
        if self.files == 0 {
            let detail = match &raw.declared.stand_in {
                Some(label) => format!("there is no file: the {label} takes their place"),
                None => "there is no file".to_owned(),
            };
            return missing(detail);
        }
        for (split, wanted) in &self.expected {
            let found = self.splits.get(split).copied().unwrap_or_default();
            if found != *wanted {
                missing(format!("{split} has {found} files, {wanted} are expected"));
            }
        }
        if let Some(wanted) = raw.metadata.frames.filter(|wanted| *wanted != self.frames) {
            missing(format!("{} frames, {wanted} are expected", self.frames));
        }
    }

    /// Prints it as text, or as JSON.
    pub(super) fn print(&self, json: bool) {
        if json {
            print_json(self);
            return;
        }
        print_text(&format!("{}: {}", self.dataset, self.summary));
        print_text(&format!("{} files, {} images or frames", self.files, self.frames));
        for (split, found) in &self.splits {
            let expected = self.expected.get(split).map(|wanted| format!(" of {wanted}")).unwrap_or_default();
            print_text(&format!(
                "  {}: {found}{expected}",
                if split.is_empty() { "(no folder)" } else { split }
            ));
        }
        let shown = |counts: &BTreeMap<String, usize>| {
            let counts = counts.iter().map(|(what, count)| format!("{count} {what}"));
            counts.collect::<Vec<_>>().join(", ")
        };
        if !self.sizes.is_empty() {
            print_text(&format!("  sizes: {}", shown(&self.sizes)));
        }
        if !self.traits.is_empty() {
            print_text(&format!("  taken as people see them: {}", shown(&self.traits)));
        }
        self.print_findings();
    }

    fn print_findings(&self) {
        if self.findings.is_empty() {
            return print_text("nothing to mend");
        }
        let mut kinds: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        self.findings.iter().for_each(|finding| kinds.entry(&finding.kind).or_default().push(finding));
        for (kind, findings) in kinds {
            print_text(&format!("{kind}: {}", findings.len()));
            for Finding { file, detail, .. } in findings.iter().take(SHOWN) {
                let named = file.is_empty() || detail.contains(file);
                print_text(&plain(&if named {
                    format!("  {detail}")
                } else {
                    format!("  {file}: {detail}")
                }));
            }
            if findings.len() > SHOWN {
                print_text(&format!("  and {} more (--json shows all)", findings.len() - SHOWN));
            }
        }
        if self.findings.iter().any(|finding| finding.kind == "missing") {
            self.obtain.iter().for_each(|obtain| print_text(&format!("get {obtain}")));
        }
    }
}
