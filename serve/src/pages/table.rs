//! Tables that scroll sideways on narrow screens.

use maud::{Markup, html};

/// Column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Text(&'static str),
    /// Numbers are aligned on the right.
    Number(&'static str),
}

use Column::{Number, Text};

/// Table with a name for screen readers, its columns, and the cells of its rows.
pub(super) fn table(name: &str, columns: &[Column], rows: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(name) {
            table.cells {
                thead { tr { @for column in columns {
                    @match column {
                        Text(title) => th scope="col" { (title) },
                        Number(title) => th.number scope="col" { (title) },
                    }
                } } }
                tbody { (rows) }
            }
        }
    }
}
