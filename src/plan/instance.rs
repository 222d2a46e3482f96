//! Names of stage instances: a file-safe code of their values.
//!
//! Names are a function of the values alone, and different texts have different codes:
//!
//! | text | code |
//! |---|---|
//! | letters and digits of any script, `_`, `.`, `+`, `-` | themselves |
//! | `-` after the first character of a value that is not the last one | `%2D`, because `-` separates values |
//! | any other character, e.g. `/`, a space or `%` | each byte of its UTF-8 form as `%2F` |
//! | empty text | `%empty` |
//! | code of more than 100 bytes | its beginning, `~` and a digest of the whole code |

use crate::declare::{Values, value_text};

/// Separator between the name of a stage and the values of an instance.
pub(super) const AT: char = '@';

/// Largest length of the code of a value in bytes.
const LONGEST_VALUE: usize = 100;

/// Largest length of the name of an instance in bytes. Files are named after it; most file systems allow 255 bytes.
const LONGEST_NAME: usize = 200;

/// Length in bytes of the beginning that is left of a longer code.
const KEPT: usize = 60;

/// Returns the name of an instance, e.g. `train@v4-0`: the stage and its values.
pub(super) fn instance_name(stage: &str, values: &Values) -> String {
    let most = LONGEST_NAME.saturating_sub(stage.len() + AT.len_utf8());
    format!("{stage}{AT}{}", shortened(suffix(values), most))
}

/// Returns the stage of an instance: `train` for `train@v4-0`.
pub fn group(instance: &str) -> &str {
    instance.split(AT).next().unwrap_or_default()
}

/// Returns the codes of the values of an instance, e.g. `v4-0`; empty for a stage that is not fanned out.
pub fn suffix(values: &Values) -> String {
    let last = values.len().saturating_sub(1);
    let codes = values.iter().enumerate().map(|(n, (_, value))| code(&value_text(value), n == last));
    codes.collect::<Vec<_>>().join("-")
}

/// Returns the code of a value; `last` is true for the last value of an instance.
pub(super) fn code(text: &str, last: bool) -> String {
    if text.is_empty() {
        return "%empty".to_owned();
    }
    let mut code = String::new();
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() || "_.+".contains(c) || (c == '-' && (last || at == 0)) {
            code.push(c);
        } else {
            let mut bytes = [0; 4];
            code.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    shortened(code, LONGEST_VALUE)
}

fn shortened(code: String, most: usize) -> String {
    if code.len() <= most {
        return code;
    }
    let digest = blake3::hash(code.as_bytes()).to_hex();
    format!("{}~{}", &code[..code.floor_char_boundary(KEPT)], &digest[..16])
}

#[cfg(test)]
mod tests {
    use toml::Value;

    use super::*;

    fn name(texts: &[&str]) -> String {
        let value = |text: &&str| ("x".to_owned(), Value::from(*text));
        instance_name("s", &texts.iter().map(value).collect())
    }

    #[test]
    fn plain_values_are_their_own_names() {
        assert_eq!(name(&["v4", "0"]), "s@v4-0");
        assert_eq!(name(&["step_v1", "-0.5", "1e+3"]), "s@step_v1--0.5-1e+3");
        assert_eq!(name(&["a-b-c"]), "s@a-b-c");
        assert_eq!(name(&["Grün", "日本"]), "s@Grün-日本");
    }

    #[test]
    fn other_characters_are_encoded() {
        assert_eq!(name(&["a/b c"]), "s@a%2Fb%20c");
        assert_eq!(name(&["../up", "100%"]), "s@..%2Fup-100%25");
        assert_eq!(name(&["", "@*?[\n"]), "s@%empty-%40%2A%3F%5B%0A");
    }

    #[test]
    fn different_texts_have_different_names() {
        let parts = [
            "", "-", "--", "a", "-a", "a-", "a-b", "b", "%", "%empty", "%2D", "a%2Db", "é", "e\u{301}", "~",
            "/",
        ];
        let long = ["x".repeat(150), "x".repeat(151), format!("{}/", "x".repeat(150)), "日".repeat(90)];
        let parts: Vec<&str> = parts.into_iter().chain(long.iter().map(String::as_str)).collect();
        let mut names = std::collections::BTreeSet::new();
        for a in &parts {
            for b in &parts {
                for c in &parts {
                    let name = name(&[a, b, c]);
                    assert!(name.len() <= LONGEST_NAME && !name.contains('/'), "{name}");
                    assert!(names.insert(name.clone()), "{name}");
                }
            }
        }
    }
}
