//! Contact sheets: labelled rows of captioned pictures.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use anyhow::{Context as _, Result};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// Picture with a line of text under it, or a gap.
pub struct Cell {
    /// Picture; `None` for a gap.
    pub picture: Option<RgbImage>,
    /// Text under the picture.
    pub caption: String,
}

/// Row of pictures.
pub struct Row {
    /// Heading; empty for a row without a heading.
    pub label: String,
    /// Cells from left to right.
    pub cells: Vec<Cell>,
}

/// Contact sheet.
pub struct Sheet {
    /// Title of the sheet.
    pub title: String,
    /// Rows from top to bottom.
    pub rows: Vec<Row>,
}

/// Smallest and largest length of the shorter side of a picture's place, in pixels.
const SHOWN: (u32, u32) = (112, 256);

/// Largest length of the longer side of a picture's place, in pixels.
const LONGEST: u32 = 640;
const MARGIN: u32 = 10;
const TITLE: f32 = 18.0;
const TEXT: f32 = 12.0;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: [f32; 3] = [34.0, 34.0, 34.0];

fn line(size: f32) -> u32 {
    (size * 1.5) as u32
}

impl Cell {
    /// Cell with a picture and its caption.
    pub fn new(picture: RgbImage, caption: impl Into<String>) -> Self {
        Self { picture: Some(picture), caption: caption.into() }
    }

    /// Empty cell of a grid.
    pub fn gap() -> Self {
        Self { picture: None, caption: String::new() }
    }
}

impl Row {
    /// Row of cells without a label.
    pub fn plain(cells: Vec<Cell>) -> Self {
        Self { label: String::new(), cells }
    }
}

impl Sheet {
    /// Draws the sheet with its title and `note` above the rows.
    ///
    /// # Errors
    /// Returns an error if the font cannot be read.
    pub fn draw(&self, note: &str) -> Result<RgbImage> {
        let font = FontRef::try_from_slice(epaint_default_fonts::HACK_REGULAR).context("cannot read font")?;
        let (side, height) = self.shown();
        let longest = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0) as u32;
        let text = width(&font, TITLE, &self.title).max(width(&font, TEXT, note)) as u32 + 1;
        let total = (longest * (side + MARGIN)).max(text + MARGIN) + MARGIN;
        let header = MARGIN + line(TITLE) + if note.is_empty() { 0 } else { line(TEXT) };
        let label = |row: &Row| if row.label.is_empty() { 0 } else { line(TEXT) };
        let heights = self.rows.iter().map(|row| label(row) + height + line(TEXT) + MARGIN);
        let mut canvas = RgbImage::from_pixel(total, header + MARGIN + heights.sum::<u32>(), PAPER);

        write(&mut canvas, &font, TITLE, (MARGIN, MARGIN), total - MARGIN, &self.title);
        write(&mut canvas, &font, TEXT, (MARGIN, MARGIN + line(TITLE)), total - MARGIN, note);
        let mut y = header + MARGIN;
        for row in &self.rows {
            write(&mut canvas, &font, TEXT, (MARGIN, y), total - MARGIN, &row.label);
            y += label(row);
            let mut x = MARGIN;
            for cell in &row.cells {
                if let Some(picture) = &cell.picture {
                    let (w, h) = fit(picture.dimensions(), (side, height));
                    let shown = imageops::resize(picture, w, h, FilterType::CatmullRom);
                    imageops::replace(&mut canvas, &shown, x.into(), y.into());
                }
                write(&mut canvas, &font, TEXT, (x, y + height), side, &cell.caption);
                x += side + MARGIN;
            }
            y += height + line(TEXT) + MARGIN;
        }
        Ok(canvas)
    }

    /// Width and height of the place of each picture on the sheet, in pixels.
    fn shown(&self) -> (u32, u32) {
        let pictures = self.rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.picture.as_ref());
        let sizes: Vec<(u32, u32)> = pictures.map(RgbImage::dimensions).collect();
        let width = sizes.iter().map(|size| size.0).max().unwrap_or(1).max(1);
        let height = sizes.iter().map(|size| size.1).max().unwrap_or(1).max(1);
        let shorter = width.min(height);
        let scale = f64::from(shorter.clamp(SHOWN.0, SHOWN.1)) / f64::from(shorter);
        let scale = scale.min(f64::from(LONGEST) / f64::from(width.max(height)));
        let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        (scaled(width), scaled(height))
    }
}

/// Largest size that fits into `place` and keeps the proportions.
fn fit((width, height): (u32, u32), place: (u32, u32)) -> (u32, u32) {
    let (width, height) = (width.max(1), height.max(1));
    let scale = (f64::from(place.0) / f64::from(width)).min(f64::from(place.1) / f64::from(height));
    let scaled = |length: u32, most: u32| ((f64::from(length) * scale).round() as u32).clamp(1, most);
    (scaled(width, place.0), scaled(height, place.1))
}

/// Width of `text` in pixels.
fn width(font: &FontRef, size: f32, text: &str) -> f32 {
    let font = font.as_scaled(PxScale::from(size));
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}

/// Writes a line of text with its upper left corner at `at`. Text beyond a width of `room` pixels is cut off.
fn write(canvas: &mut RgbImage, font: &FontRef, size: f32, at: (u32, u32), room: u32, text: &str) {
    let scaled = font.as_scaled(PxScale::from(size));
    let (mut x, baseline) = (at.0 as f32, at.1 as f32 + scaled.ascent());
    for c in text.chars() {
        let id = scaled.glyph_id(c);
        let next = x + scaled.h_advance(id);
        if next > (at.0 + room) as f32 {
            break;
        }
        blend(canvas, font, id.with_scale_and_position(size, point(x, baseline)));
        x = next;
    }
}

fn blend(canvas: &mut RgbImage, font: &FontRef, glyph: Glyph) {
    let Some(outline) = font.outline_glyph(glyph) else { return };
    let corner = outline.px_bounds().min;
    outline.draw(|x, y, coverage| {
        let (x, y) = (corner.x as i64 + i64::from(x), corner.y as i64 + i64::from(y));
        let inside = u32::try_from(x).ok().zip(u32::try_from(y).ok());
        if let Some(pixel) = inside.and_then(|(x, y)| canvas.get_pixel_mut_checked(x, y)) {
            for (channel, ink) in pixel.0.iter_mut().zip(INK) {
                *channel = (f32::from(*channel) * (1.0 - coverage) + ink * coverage).round() as u8;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(caption: &str) -> RgbImage {
        let red = || RgbImage::from_pixel(64, 64, Rgb([200, 0, 0]));
        let cells = vec![Cell::new(red(), caption), Cell::gap(), Cell::new(red(), "")];
        let rows = vec![Row { label: "a row".into(), cells }];
        Sheet { title: "Title".into(), rows }.draw("a note").expect("drawn")
    }

    #[test]
    fn pictures_are_shown_side_by_side_and_gaps_stay_white() {
        let drawn = sheet("");
        let reds = |x: u32| (0..drawn.height()).filter(|y| drawn.get_pixel(x, *y)[1] == 0).count() as u32;
        assert_eq!([reds(70), reds(180), reds(310)], [SHOWN.0, 0, SHOWN.0]);
        assert_eq!(drawn.width(), 3 * (SHOWN.0 + MARGIN) + MARGIN);
    }

    #[test]
    fn a_picture_keeps_its_proportions() {
        let wide = RgbImage::from_pixel(800, 100, Rgb([200, 0, 0]));
        let rows = vec![Row::plain(vec![Cell::new(wide, "")])];
        let drawn = Sheet { title: String::new(), rows }.draw("").expect("drawn");
        assert_eq!(drawn.width(), LONGEST + 2 * MARGIN);
        assert_eq!(fit((8280, 1080), (1024, 1024)), (1024, 134));
    }

    #[test]
    fn a_long_caption_is_cut_off_at_its_picture() {
        let (long, none) = (sheet(&"x".repeat(500)), sheet(""));
        assert_eq!(long.dimensions(), none.dimensions());
        let changed = |x: u32| (0..long.height()).any(|y| long.get_pixel(x, y) != none.get_pixel(x, y));
        assert!(changed(60) && !(MARGIN + SHOWN.0 + 2..none.width()).any(changed));
    }
}
