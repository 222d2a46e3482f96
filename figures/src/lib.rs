//! What several programs of this project draw.
//!
//! | module | what |
//! |---|---|
//! | [`style`] | font and colours of figures |
//! | [`sheet`] | contact sheets: labelled rows of captioned pictures |
//! | [`label`] | names of what a figure shows: A, B, .. |
//! | [`inline`] | pictures and programs inside of a page, so that it needs no other file |

pub mod inline;
pub mod label;
pub mod sheet;
pub mod style;
