//! Font and colours of all drawn figures.

use std::sync::Once;

use plotters::style::{FontStyle, RGBColor, register_font};

/// Name of the font that [`register_fonts`] registers.
pub const FONT: &str = "sans-serif";

/// Colours that people with impaired colour vision can distinguish: those of Okabe and Ito (2008), with a
/// darker yellow at the end.
pub const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(200, 190, 40),
];

/// Registers [`FONT`], so that figures need no font of the system.
pub fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)));
}
