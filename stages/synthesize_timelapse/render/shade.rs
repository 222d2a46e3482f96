//! Shading of everything except water: samples of the scene under the light of one frame.

use super::math::{Rgb, add, mix, mul, scale};
use super::picture::Picture;
use super::scene::Scene;
use super::sky::Sky;
use super::surface::{Part, Texel};
use super::tables::Tables;

/// Fills `picture` with the scene; water samples add nothing.
pub(super) fn shade(scene: &Scene, tables: &Tables, sky: &Sky, picture: &mut Picture) {
    let canvas = &scene.canvas;
    let haze: Vec<Rgb> = (0..canvas.width).map(|c| sky.haze(canvas.centre(c, 0).0)).collect();
    for row in 0..canvas.height {
        for (column, haze) in haze.iter().enumerate() {
            let texels = canvas.pixel(column, row);
            let (mut sum, mut skies) = ([0.0; 3], 0.0);
            for texel in texels {
                match texel.part {
                    Part::Sky => skies += 1.0,
                    Part::Water => {}
                    _ => sum = add(sum, sample(tables, row, *texel, *haze)),
                }
            }
            if skies > 0.0 {
                let (x, y) = canvas.centre(column, row);
                sum = add(sum, scale(sky.at(x, y), skies));
            }
            picture.pixels[row * canvas.width + column] = scale(sum, 1.0 / texels.len() as f32);
        }
    }
}

/// Returns the colour of one solid sample behind its share of haze.
fn sample(tables: &Tables, row: usize, texel: Texel, haze: Rgb) -> Rgb {
    let lit = &tables.surfaces[usize::from(texel.surface)];
    let row = &tables.rows[row];
    let light = add(lit.ambient, scale(lit.direct, row.sunlit));
    let shade = f32::from(texel.shade) / 255.0;
    let dice = usize::from(texel.dice);
    let mut colour = match texel.part {
        Part::Leaf => scale(mul(tables.leaves[lit.kind as usize][dice], light), shade),
        Part::Window => {
            let on = tables.windows[lit.kind as usize][dice] * (0.35 + 0.65 * shade);
            let pane = add(lit.glass, scale(lit.glint, row.sunlit));
            add(scale(pane, shade), scale(lit.lamp, on))
        }
        Part::Bulb => add(mul(lit.albedo, light), scale(lit.lamp, tables.night)),
        _ => scale(mul(lit.albedo, light), shade),
    };
    if texel.snow > 0 {
        let snow = tables.snow[usize::from(lit.alpine)][usize::from(texel.snow)];
        colour = mix(colour, scale(light, 0.80 * (0.6 + 0.4 * shade)), snow);
    }
    let clear = row.clear[lit.layer as usize];
    mix(haze, colour, clear)
}
