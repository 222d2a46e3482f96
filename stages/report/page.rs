//! The page that puts figures and pictures side by side.

use std::fmt::Write;

use callsheet_sheet::Sheet;
use serde_json::Value;

use super::agreement::{Agreement, mutual_information};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
    table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}\
    td:first-child,th:first-child{text-align:left}img{max-width:100%;border:1px solid #ccc}\
    .note{background:#fff3cd;padding:.5rem 1rem}";

/// The page as HTML; `metrics` is what the stage evaluate wrote.
pub fn page(note: &str, metrics: &Value, agreement: Option<&Agreement>, sheets: &[Sheet]) -> String {
    let distance = metrics["feature_distance"]["name"].as_str().unwrap_or("feature distance");
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Report</title>\n<style>{STYLE}</style>\n\
         <h1>Report</h1>\n"
    );
    if !note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    let _ = writeln!(
        html,
        "<h2>Reconstruction of {} validation images</h2>\n<table><tr><th>method<th>PSNR (dB) \u{2191}<th>SSIM \
         \u{2191}<th>{} \u{2193}",
        metrics["images"],
        escape(distance)
    );
    for (method, values) in metrics["methods"].as_object().into_iter().flatten() {
        let figure = |name: &str, digits: usize| {
            values[name].as_f64().map_or("identical".to_owned(), |v| format!("{v:.digits$}"))
        };
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}",
            escape(method),
            figure("psnr", 2),
            figure("ssim", 3),
            figure("feature_distance", 3)
        );
    }
    html.push_str("</table>\n");
    if let Some(agreement) = agreement {
        html.push_str(&modes(agreement));
    }
    for sheet in sheets {
        let title = escape(&sheet.title);
        let _ = writeln!(html, "<h2>{title}</h2>\n<img src=\"{}.png\" alt=\"{title}\">", sheet.name);
    }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_stand_by_method_and_text_is_escaped() {
        let values = json!({ "psnr": 20.126, "ssim": 0.5, "feature_distance": 1.0 });
        let metrics =
            json!({ "images": 3, "feature_distance": { "name": "d<1>" }, "methods": { "A & B": values } });
        let agreement = Agreement {
            modes: vec!["day".into(), "d&n".into()],
            images: vec![vec![6, 2], vec![0, 8]],
            frames: vec![vec![1, 0], vec![0, 1]],
        };
        let html = page("a \"note\"", &metrics, Some(&agreement), &[]);
        assert!(html.contains("<tr><td>A &amp; B<td>20.13<td>0.500<td>1.000"), "{html}");
        assert!(html.contains("d&lt;1&gt;") && html.contains("a &quot;note&quot;"), "{html}");
        assert!(html.contains("<td>day<td>6<td>2\n<tr><td>d&amp;n<td>0<td>8</table>"), "{html}");
        assert!(html.contains("of whole frames, each in the cluster of most of its images, 1.00."), "{html}");
        assert!(html.contains("What limits it: day is spread over clusters 0, 1; whole frames"), "{html}");
    }
}
