//! True styles of frames: of a stand-in, of renderings, or of frames with filters.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use arrow::array::AsArray;
use arrow::datatypes::Float32Type;
use callsheet_worker::table::{read_columns, schema};
use callsheet_worker::user_error;

use crate::lib::columns::{read_int64s, read_strings};

/// Numeric factors, and the period of those that repeat: a day of 24 hours, a year.
pub(crate) const FACTORS: [(&str, Option<f64>); 4] =
    [("time_of_day", Some(24.0)), ("cloud", None), ("haze", None), ("season", Some(1.0))];

/// True style of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Style {
    /// Name of the style; for a stand-in, the mode from which the factors were drawn.
    pub mode: String,
    /// Values of the factors, in the order of [`FACTORS`]; NaN unless the frame is one of a stand-in.
    pub factors: [f64; FACTORS.len()],
}

/// Reads the style of each frame from a table of synthesize_timelapse, list_renderings or filter_frames.
///
/// # Errors
/// Returns an error if the table cannot be read, a frame is not in it, or a factor is not finite.
pub(crate) fn read(path: &Path, frame_ids: &[String]) -> Result<Vec<Style>> {
    let is_named = schema(path)?.column_with_name("frame_id").is_some();
    if is_named { read_modes(path, frame_ids) } else { read_factors(path, frame_ids) }
}

fn unknown(frame: &str, path: &Path) -> anyhow::Error {
    user_error(
        format!("frame {frame} has no factors in `{}`", path.display()),
        "wire the factors or the styles of the stage that the frames come from, or none",
    )
}

fn read_modes(path: &Path, frame_ids: &[String]) -> Result<Vec<Style>> {
    let rows = read_columns(path, &["frame_id", "mode"])?;
    let (frames, modes) = (read_strings(&rows, "frame_id")?, read_strings(&rows, "mode")?);
    let modes: HashMap<String, String> = frames.into_iter().zip(modes).collect();
    let style = |frame: &String| {
        let mode = modes.get(frame).ok_or_else(|| unknown(frame, path))?.clone();
        Ok(Style { mode, factors: [f64::NAN; FACTORS.len()] })
    };
    frame_ids.iter().map(style).collect()
}

fn read_factors(path: &Path, frame_ids: &[String]) -> Result<Vec<Style>> {
    let names = FACTORS.map(|(name, _)| name);
    let rows = read_columns(path, &[&["frame_index", "mode"], names.as_slice()].concat())?;
    let (indices, modes) = (read_int64s(&rows, "frame_index")?, read_strings(&rows, "mode")?);
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let values = rows[name].as_primitive_opt::<Float32Type>();
        columns.push(
            values.with_context(|| format!("`{name}` of `{}` is not float32", path.display()))?.values(),
        );
    }
    let places: HashMap<i64, usize> = indices.iter().enumerate().map(|(n, index)| (*index, n)).collect();
    let style = |frame: &String| {
        let index = frame.rsplit_once('#').and_then(|(_, index)| index.parse::<i64>().ok());
        let Some(place) = index.and_then(|index| places.get(&index)) else {
            return Err(unknown(frame, path));
        };
        let factors: [f64; FACTORS.len()] = std::array::from_fn(|n| f64::from(columns[n][*place]));
        if let Some(n) = factors.iter().position(|value| !value.is_finite()) {
            return Err(user_error(
                format!("{} of frame {frame} is {} in `{}`", names[n], factors[n], path.display()),
                "look at the table with `callsheet inspect`",
            ));
        }
        Ok(Style { mode: modes[*place].clone(), factors })
    };
    frame_ids.iter().map(style).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lib::codes::fixtures::Tables;

    fn of(frame: &str, cloud: f32) -> Result<Vec<Style>> {
        let tables = Tables::write(&[], &[("fog", [1.0, 0.0, 0.25, 0.5]), ("day", [12.0, cloud, 0.0, 0.0])]);
        read(&tables.path("factors"), &[frame.to_owned()])
    }

    #[test]
    fn a_frame_s_index_identifies_its_factors() {
        let style = &of("b/a.mp4#000001", 0.5).expect("a style")[0];
        assert_eq!(*style, Style { mode: "day".into(), factors: [12.0, 0.5, 0.0, 0.0] });
    }

    #[test]
    fn missing_factors_and_factors_that_are_not_numbers_are_refused() {
        for (frame, cloud, wanted) in [
            ("a.mp4#000002", 0.5, "frame a.mp4#000002 has no factors in "),
            ("photo.jpg", 0.5, "frame photo.jpg has no factors in "),
            ("a.mp4#000001", f32::INFINITY, "cloud of frame a.mp4#000001 is inf in "),
        ] {
            let said = of(frame, cloud).expect_err(wanted).to_string();
            assert!(said.starts_with(wanted), "{said}");
        }
    }
}
