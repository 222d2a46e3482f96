//! The page that puts figures and pictures side by side.

use std::fmt::Write;

use super::agreement::{Agreement, mutual_information};
use super::comparison::{self, Comparison, SHOWN};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
    table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}\
    td:first-child,th:first-child{text-align:left}small{color:#666}img{max-width:100%;border:1px solid #ccc}\
    .note{background:#fff3cd;padding:.5rem 1rem}";

/// A picture of the page.
pub struct Figure {
    /// File name without extension.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// As it is written.
    pub png: Vec<u8>,
}

impl Figure {
    /// Its file beside the page.
    pub fn file(&self) -> String {
        format!("{}.png", self.name)
    }
}

/// The page as HTML.
pub fn page(
    note: &str,
    comparison: &Comparison,
    agreement: Option<&Agreement>,
    figures: &[Figure],
) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Report</title>\n<style>{STYLE}</style>\n\
         <h1>Report</h1>\n"
    );
    if !note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html.push_str(&methods(comparison));
    if let Some(agreement) = agreement {
        html.push_str(&modes(agreement));
    }
    for figure in figures {
        let title = escape(&figure.title);
        let _ = writeln!(html, "<h2>{title}</h2>\n<img src=\"{}\" alt=\"{title}\">", figure.file());
    }
    html
}

/// Methods and what they come to, with intervals.
fn methods(comparison: &Comparison) -> String {
    let mut html = format!(
        "<h2>Reconstruction of {} validation images</h2>\n<p>Means, and intervals of 95 % confidence over \
         frames.</p>\n<table><tr><th>method",
        comparison.images
    );
    for (_, unit, more, _) in SHOWN {
        let unit = if unit.is_empty() { &comparison.distance_name } else { unit };
        let _ = write!(html, "<th>{} {}", escape(unit), if more { '\u{2191}' } else { '\u{2193}' });
    }
    for method in &comparison.methods {
        let _ = write!(html, "\n<tr><td>{}", escape(&method.name));
        if method.identical > 0 {
            let _ = write!(html, " ({} identical)", method.identical);
        }
        for (metric, _, _, digits) in SHOWN {
            let Some(comparison::Figure { mean, low, high }) = method.figures.get(metric) else { continue };
            let shown = if mean.is_finite() { format!("{mean:.digits$}") } else { "identical".to_owned() };
            let _ = write!(html, "<td>{shown}");
            if low.is_finite() && high.is_finite() {
                let _ = write!(html, " <small>{low:.digits$} to {high:.digits$}</small>");
            }
        }
    }
    html.push_str("</table>\n");
    html
}

/// Clusters beside the modes of a stand-in.
fn modes(agreement: &Agreement) -> String {
    let (images, frames) = (mutual_information(&agreement.images), mutual_information(&agreement.frames));
    let mut html = format!(
        "<h2>Style clusters and the stand-in's modes</h2>\n<p>Normalised mutual information {images:.2} (0: \
         independent, 1: a cluster a mode); of whole frames, each in the cluster of most of its images, \
         {frames:.2}."
    );
    let limits = agreement.limits();
    if !limits.is_empty() {
        let _ = write!(html, " What limits it: {}.", escape(&limits.join("; ")));
    }
    html.push_str("</p>\n<table><tr><th>images of");
    (0..agreement.images.first().map_or(0, Vec::len)).for_each(|cluster| {
        let _ = write!(html, "<th>cluster {cluster}");
    });
    for (mode, counts) in agreement.modes.iter().zip(&agreement.images) {
        let _ = write!(html, "\n<tr><td>{}", escape(mode));
        counts.iter().for_each(|count| {
            let _ = write!(html, "<td>{count}");
        });
    }
    html.push_str("</table>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::comparison::Method;

    #[test]
    fn figures_stand_by_method_and_text_is_escaped() {
        let figure = |[mean, low, high]: [f64; 3]| comparison::Figure { mean, low, high };
        let figures = [
            ("psnr", [20.126, 19.0, 21.0]),
            ("ssim", [0.5, f64::NAN, f64::NAN]),
            ("l1", [f64::INFINITY; 3]),
            ("perceptual", [0.25, 0.0, f64::NAN]),
            ("distance", [1.0; 3]),
        ];
        let figures = figures.map(|(name, values)| (name, figure(values))).into();
        let methods = vec![Method { name: "A & B".into(), identical: 2, figures }];
        let comparison =
            Comparison { images: 3, distance_name: "d<1>".into(), distance_weights: String::new(), methods };
        let agreement = Agreement {
            modes: vec!["day".into(), "d&n".into()],
            images: vec![vec![6, 2], vec![0, 8]],
            frames: vec![vec![1, 0], vec![0, 1]],
        };
        let html = page("a \"note\"", &comparison, Some(&agreement), &[]);
        assert!(html.contains("<tr><td>A &amp; B (2 identical)<td>20.13 <small>19.00 to 21.00</small><td>0.500<td>identical<td>0.2500<td>1.000"), "{html}");
        assert!(html.contains("d&lt;1&gt;") && html.contains("a &quot;note&quot;"), "{html}");
        assert!(html.contains("<td>day<td>6<td>2\n<tr><td>d&amp;n<td>0<td>8</table>"), "{html}");
        assert!(html.contains("of whole frames, each in the cluster of most of its images, 1.00."), "{html}");
        assert!(html.contains("What limits it: day is spread over clusters 0, 1; whole frames"), "{html}");
    }
}
