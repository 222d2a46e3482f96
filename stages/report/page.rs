//! The page that puts figures and pictures side by side.

use std::fmt::Write;

use callsheet_sheet::Sheet;
use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
    table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}\
    td:first-child,th:first-child{text-align:left}img{max-width:100%;border:1px solid #ccc}\
    .note{background:#fff3cd;padding:.5rem 1rem}";

/// The page as HTML; `metrics` is what the stage evaluate wrote.
pub fn page(note: &str, metrics: &Value, sheets: &[Sheet]) -> String {
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
    for sheet in sheets {
        let title = escape(&sheet.title);
        let _ = writeln!(html, "<h2>{title}</h2>\n<img src=\"{}.png\" alt=\"{title}\">", sheet.name);
    }
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
        let html = page("a \"note\"", &metrics, &[]);
        assert!(html.contains("<tr><td>A &amp; B<td>20.13<td>0.500<td>1.000"), "{html}");
        assert!(html.contains("d&lt;1&gt;") && html.contains("a &quot;note&quot;"), "{html}");
    }
}
