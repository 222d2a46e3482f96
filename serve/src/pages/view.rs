//! State of the page of a table.

use serde::{Deserialize, Serialize};

/// State of the page, which is in its address.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct DataView {
    /// `grid` or `table`; a table with images is shown as a grid if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub view: String,
    /// Conditions on the rows, e.g. `psnr:..20,cluster:3`.
    #[serde(default, rename = "where", skip_serializing_if = "String::is_empty")]
    pub conditions: String,
    /// Column by which the rows are sorted; with `-`, the largest value comes first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sort: String,
    /// Position of the first row among the selected ones, from 0.
    #[serde(default)]
    pub at: u64,
}

impl DataView {
    /// Address of the page with this state.
    pub(super) fn address(&self) -> String {
        format!("?{}", serde_urlencoded::to_string(self).expect("texts and a number"))
    }

    /// The page with the first rows in the order of a column: ascending, or descending if it is ascending now.
    pub(super) fn sorted_by(&self, column: &str) -> Self {
        let sort = if self.sort == column { format!("-{column}") } else { column.to_owned() };
        Self { sort, at: 0, ..self.clone() }
    }

    /// Order of a column as screen readers announce it.
    pub(super) fn order_of(&self, column: &str) -> Option<&'static str> {
        match self.sort.strip_prefix('-') {
            Some(descending) => (descending == column).then_some("descending"),
            None => (self.sort == column).then_some("ascending"),
        }
    }
}
