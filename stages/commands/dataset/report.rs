//! Report of a check of a dataset.

use std::collections::BTreeMap;

use callsheet_pictures::format::FORMATS;
use callsheet_worker::print::{plain, print_json, print_text};
use serde::Serialize;

use super::expected::{Raw, Source};
use super::left_out::LeftOut;
use super::numbers::Gap;

/// Number of findings of one kind that are printed one by one; the rest are only counted.
const SHOWN: usize = 5;

/// Problem with a raw file or with the dataset.
#[derive(Serialize)]
pub(super) struct Finding {
    /// Name of the file; empty if the finding is about the dataset.
    pub file: String,
    /// Kind of the problem, such as `missing`.
    pub kind: String,
    /// Description with the values found.
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
    /// Number of files of each split, or of each top-level folder that is not one of a split; empty unless the
    /// files are pairs.
    pub splits: BTreeMap<String, usize>,
    expected: BTreeMap<String, usize>,
    /// Number of files of each size in pixels.
    pub sizes: BTreeMap<String, usize>,
    /// Number of files with each uncommon trait that decoding handles: EXIF rotation, transparency and so on.
    pub traits: BTreeMap<String, usize>,
    /// Number of hidden copies of images and of metadata of archives, which are ignored.
    pub hidden: usize,
    /// Problems found.
    pub findings: Vec<Finding>,
    /// Hints where to get missing files.
    hint: Vec<String>,
}

impl Report {
    /// Report of a dataset whose files are not checked yet.
    pub(super) fn new(name: &str, raw: &Raw) -> Self {
        let hint = raw.declared.sources.iter().map(|Source { pattern, hint }| {
            match (hint.as_str(), &raw.metadata.url) {
                ("", None) => pattern.clone(),
                ("", Some(url)) => format!("{pattern}, from {url}"),
                (hint, None) => format!("{pattern}: {hint}"),
                (hint, Some(url)) => format!("{pattern}: {hint} (from {url})"),
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
            hidden: 0,
            findings: Vec::new(),
            hint: hint.collect(),
        }
    }

    /// Adds a finding for each number of files or frames that differs from the expected one.
    pub(super) fn count(&mut self, raw: &Raw) {
        let mut missing = |detail: String| {
            self.findings.push(Finding { file: String::new(), kind: "missing".to_owned(), detail });
        };
        if self.files == 0 {
            let detail = match &raw.declared.stand_in {
                Some(label) => format!("there are no raw files: the {label} takes their place"),
                None => "there are no raw files".to_owned(),
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

    /// Adds the images of the folder that do not belong to the dataset.
    pub(super) fn add_left_out(&mut self, left_out: LeftOut) {
        self.hidden = left_out.hidden;
        let reasons = [
            (left_out.other_format, format!("only {FORMATS} images are read")),
            (left_out.unmatched, "the pattern of the dataset's file does not match it".to_owned()),
        ];
        for (files, reason) in reasons {
            let finding = |file| Finding { file, kind: "left out".to_owned(), detail: reason.clone() };
            self.findings.extend(files.into_iter().map(finding));
        }
    }

    /// Adds the jumps of the numbers of images.
    pub(super) fn add_gaps(&mut self, gaps: Vec<Gap>) {
        let finding = |(file, detail)| Finding { file, kind: "gap".to_owned(), detail };
        self.findings.extend(gaps.into_iter().map(finding));
    }

    /// Prints the report as text or as JSON.
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
            print_text(&format!("  converted when read: {}", shown(&self.traits)));
        }
        if self.hidden > 0 {
            print_text(&format!("  ignored: {} hidden copies or metadata of archives", self.hidden));
        }
        self.print_findings();
    }

    fn print_findings(&self) {
        if self.findings.is_empty() {
            return print_text("no problems found");
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
            self.hint.iter().for_each(|hint| print_text(&format!("get {hint}")));
        }
    }
}
