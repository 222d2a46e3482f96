//! Font and colours of all drawn figures.

use std::sync::Once;

use plotters::style::{FontStyle, RGBColor, register_font};

/// The font's name, once it is registered.
pub const FONT: &str = "sans-serif";

/// Told apart by people who do not see all colours, too: those of Okabe and Ito (2008), their yellow darker and last.
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

/// Makes [`FONT`] known; figures need none of the system's.
pub fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)));
}
