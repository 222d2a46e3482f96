//! Effect of one frame's light on each surface, row, plant, window and snow threshold.

use super::hours::{HOME_HOURS, OFFICE_HOURS, between};
use super::light::Light;
use super::math::{Rgb, add, dot, mix, mul, scale, smoothstep};
use super::scene::Scene;
use super::season::{leaf, snow_alpine, snow_city};
use super::surface::{Kind, Layer, Surface};
use super::terrain::STREET;

/// A surface under the light of the frame.
pub(super) struct Lit {
    pub albedo: Rgb,
    pub kind: Kind,
    pub layer: Layer,
    pub alpine: bool,
    /// Light from everything except sun and moon.
    pub ambient: Rgb,
    pub direct: Rgb,
    /// Reflection of the sky in dark windows; `glint` is that of the sun.
    pub glass: Rgb,
    pub glint: Rgb,
    pub lamp: Rgb,
}

/// Values that depend on the row of the picture.
pub(super) struct Row {
    /// Share of direct light that reaches the row, 0..1.
    pub sunlit: f32,
    /// Share of light that passes the air in front of each layer, 0..1.
    pub clear: [f32; 7],
}

pub(super) struct Tables {
    pub surfaces: Vec<Lit>,
    pub rows: Vec<Row>,
    /// Brightness of a window by use (office, home) and dice.
    pub windows: [[f32; 256]; 2],
    /// Plant colour by kind and dice.
    pub leaves: Vec<Vec<Rgb>>,
    /// Snow cover by `alpine` and tendency to hold snow.
    pub snow: [[f32; 256]; 2],
    pub night: f32,
}

impl Tables {
    pub(super) fn new(scene: &Scene, light: &Light) -> Tables {
        let f = &light.factors;
        let level = light.night.max(0.12 * light.veil);
        let windows = [&OFFICE_HOURS, &HOME_HOURS].map(|hours| {
            let share = between(hours, f.time_of_day);
            each(|k| level * smoothstep(share + 0.02, share - 0.02, k))
        });
        let kinds = [Kind::Office, Kind::Home, Kind::Evergreen, Kind::Deciduous, Kind::Grass];
        let cover = |amount: f32| each(|k| smoothstep(1.10 - amount * 1.2, 1.25 - amount * 1.2, k));
        let height = scene.canvas.height;
        Tables {
            surfaces: scene.canvas.surfaces.iter().map(|s| lit(s, light)).collect(),
            rows: (0..height).map(|r| row(scene.canvas.centre(0, r).1, light)).collect(),
            windows,
            leaves: kinds
                .map(|kind| (0..256).map(|k| leaf(kind, k as f32 / 255.0, f.season)).collect())
                .into(),
            snow: [cover(snow_city(f.season)), cover(snow_alpine(f.season))],
            night: light.night,
        }
    }
}

fn each(value: impl Fn(f32) -> f32) -> [f32; 256] {
    std::array::from_fn(|k| value(k as f32 / 255.0))
}

fn lit(s: &Surface, light: &Light) -> Lit {
    let facing = dot(s.normal, light.source);
    let open = 0.72 + 0.28 * s.normal[1];
    let sunny = scale(light.glow, 0.22 * dot(s.normal, light.sun.direction).max(0.0));
    let lamps = (0.035 + 0.75 * s.flood) * light.night;
    let near = if s.layer as usize >= Layer::FarCity as usize { 1.0 } else { 0.15 };
    let ambient = add(scale(light.ambient, open), sunny);
    let ambient = add(ambient, scale([1.0, 0.78, 0.52], lamps * near));
    let sky = mix(light.horizon, light.zenith, 0.4);
    let glass = add(scale(sky, 0.50 * s.glass), mul(s.albedo, scale(ambient, 0.35)));
    // This is the mirrored direction of the view ray on the facade; windows flash when it points to the sun.
    let n = s.normal;
    let mirror = [2.0 * n[2] * n[0], 2.0 * n[2] * n[1], 2.0 * n[2] * n[2] - 1.0];
    let flash = dot(mirror, light.source).max(0.0).powi(6) * 0.9 * s.glass;
    Lit {
        albedo: s.albedo,
        kind: s.kind,
        layer: s.layer,
        alpine: s.alpine,
        ambient,
        direct: scale(light.direct, facing.max(0.0)),
        glass,
        glint: scale(light.direct, flash),
        lamp: s.lamp,
    }
}

fn row(y: f32, light: &Light) -> Row {
    let height = ((STREET - y) / 0.55).clamp(-0.3, 1.0);
    // A low sun reaches only the tops of the towers.
    let shadow = 0.75 - light.sun.elevation * 0.15;
    let by_sun = light.sun.elevation > -5.0;
    let sunlit = if by_sun { smoothstep(shadow - 0.25, shadow + 0.25, height) } else { 1.0 };
    let thickness = (0.006 + 0.75 * light.factors.haze.powf(1.8)) * (1.12 - 0.5 * height);
    Row { sunlit, clear: Layer::ALL.map(|layer| (-thickness * layer.kilometres()).exp()) }
}
