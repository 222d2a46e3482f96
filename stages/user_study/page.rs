//! Self-contained page: text, style, program and pictures in one file.

use callsheet_figures::data_uri::source_of;
use serde_json::Value;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("study.css");
const SCRIPT: &str = concat!(include_str!("participant.js"), include_str!("study.js"));

/// Returns the page that shows `study`.
pub(super) fn html(study: &Value) -> String {
    // Without `<`, the data cannot end the element that contains them.
    let data = study.to_string().replace('<', "\\u003c");
    PAGE.replace("{{policy}}", &policy())
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{study}}", &data)
}

/// Returns the page's Content-Security-Policy: it may show its own pictures and run its own program, but load
/// nothing.
fn policy() -> String {
    let [style, script] = [STYLE, SCRIPT].map(source_of);
    format!(
        "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; \
         form-action 'none'"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inside<'a>(html: &'a str, begin: &str, end: &str) -> &'a str {
        html.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("a part").0
    }

    #[test]
    fn embedded_data_cannot_end_its_element_and_is_read_back_unchanged() {
        let study = json!({ "title": "</script><b> & {{style}} \u{2028}", "images": [] });
        let html = html(&study);
        let data = inside(&html, "<script id=\"study\" type=\"application/json\">", "</script>");
        assert_eq!(serde_json::from_str::<Value>(data).expect("JSON"), study);
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn the_policy_allows_the_page_s_own_program_and_style_alone() {
        let html = html(&json!({}));
        assert!(html.contains(&format!("script-src {}", source_of(inside(&html, "<script>", "</script>")))));
        assert!(html.contains(&format!("style-src {}", source_of(inside(&html, "<style>", "</style>")))));
        for outside in ["http:", "https:", "src=\"", "url(", "@import", "fetch(", "unsafe-inline", "{{"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
