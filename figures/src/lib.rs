//! Fonts, colours and figures that several programs of this project share.
//!
//! | module | content |
//! |---|---|
//! | [`style`] | font and colours of figures |
//! | [`sheet`] | contact sheets: labelled rows of captioned pictures |
//! | [`label`] | names and numbers in figures: A, B, ..; 0.031; 3 min 5 s |
//! | [`inline`] | pictures and scripts that are embedded in a page |

pub mod data_uri;
pub mod label;
pub mod sheet;
pub mod style;
