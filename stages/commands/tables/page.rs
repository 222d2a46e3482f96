//! Page with marked tables.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;

use super::block::Block;

/// Line that begins the description of a table.
const START: &str = "<!-- table";
/// Line that ends the description.
const DESCRIBED: &str = "-->";
/// Line after the table.
const END: &str = "<!-- end of table -->";

/// Part of a page.
pub(super) enum Part {
    /// Text that stays as it is.
    Text(String),
    /// A table, and the end of its lines: `\n` or `\r\n`.
    Table(Box<Block>, &'static str),
}

/// Place of a line in a page.
enum Place {
    Text,
    /// In an example between lines that begin with this mark.
    Example(&'static str),
    /// In a description that began at this line, with its text so far.
    Description(usize, String),
    /// Below the description that began at this line.
    Table(usize),
}

/// Divides a page into text and tables. The markers belong to the text. Examples in fences are text.
///
/// # Errors
/// Returns an error if a description is invalid, a table has no end or other lines than those of a table, or
/// the page has no table.
pub(super) fn parts(page: &str, path: &Path) -> Result<Vec<Part>> {
    let refused = |line: usize, problem: &str, help: &str| {
        user_error(format!("line {line} of `{}` {problem}", path.display()), help)
    };
    let (mut parts, mut text, mut place) = (Vec::new(), String::new(), Place::Text);
    for (number, line) in (1..).zip(page.split_inclusive('\n')) {
        let shown = line.trim_end();
        match &mut place {
            Place::Example(fence) => {
                if shown.trim_start().starts_with(*fence) {
                    place = Place::Text;
                }
            }
            Place::Text if shown == START => place = Place::Description(number, String::new()),
            Place::Text => {
                if shown.replace(' ', "").starts_with("<!--table") {
                    return Err(refused(
                        number,
                        "resembles the begin of a table",
                        "write `<!-- table` alone",
                    ));
                }
                let fence = ["```", "~~~"].into_iter().find(|fence| shown.trim_start().starts_with(fence));
                place = fence.map_or(Place::Text, Place::Example);
            }
            Place::Description(start, described) if shown == DESCRIBED => {
                let block = Block::parse(described, *start, path)?;
                place = Place::Table(*start);
                text.push_str(line);
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Table(Box::new(block), if line.ends_with("\r\n") { "\r\n" } else { "\n" }));
                continue;
            }
            Place::Description(_, described) => described.push_str(line),
            Place::Table(_) if shown == END => place = Place::Text,
            Place::Table(_) if shown.is_empty() || shown.starts_with('|') => continue,
            Place::Table(start) => {
                let problem = format!("is not one of the table in line {start}");
                return Err(refused(number, &problem, "add the line `<!-- end of table -->` before it"));
            }
        }
        text.push_str(line);
    }
    match place {
        Place::Description(line, _) => Err(refused(line, "begins a table without a line `-->`", "add it")),
        Place::Table(line) => {
            Err(refused(line, "begins a table without an end", "add the line `<!-- end of table -->`"))
        }
        _ if parts.is_empty() => Err(user_error(
            format!("`{}` has no table", path.display()),
            "mark one: `callsheet tables --help` has an example",
        )),
        _ => {
            parts.push(Part::Text(text));
            Ok(parts)
        }
    }
}
