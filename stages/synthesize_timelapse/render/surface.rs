//! Layers, surfaces and the samples that show them.

use super::math::Rgb;

/// Distance of a layer from the camera.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layer {
    Mountain,
    Ridge,
    Hill,
    FarCity,
    MidCity,
    NearCity,
    Front,
}

impl Layer {
    pub(super) const ALL: [Layer; 7] = [
        Layer::Mountain,
        Layer::Ridge,
        Layer::Hill,
        Layer::FarCity,
        Layer::MidCity,
        Layer::NearCity,
        Layer::Front,
    ];

    /// Returns the kilometres of air in front of the layer.
    pub(super) fn kilometres(self) -> f32 {
        [55.0, 24.0, 10.0, 5.0, 3.0, 1.8, 0.7][self as usize]
    }
}

/// Kind of object that a sample shows, which determines its shading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Sky,
    Water,
    Wall,
    Window,
    /// Plant, whose colour depends on the season.
    Leaf,
    /// Small lamp that is part of a structure.
    Bulb,
}

/// Use of a surface's windows, which determines their hours of light, or kind of its plant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Office,
    Home,
    Evergreen,
    Deciduous,
    Grass,
}

/// Set of samples that share orientation, distance and material.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surface {
    /// Linear reflectance.
    pub albedo: Rgb,
    /// Unit vector: right, up, towards the camera.
    pub normal: [f32; 3],
    pub layer: Layer,
    pub kind: Kind,
    /// Mirror strength of the windows, 0..1.
    pub glass: f32,
    /// Colour of lit windows and bulbs.
    pub lamp: Rgb,
    /// Floodlight at night, 0..1.
    pub flood: f32,
    /// True if snow depends on the mountains' snow line instead of the city's weather.
    pub alpine: bool,
}

impl Surface {
    /// Returns a dull surface without floodlight.
    pub(super) fn matte(albedo: Rgb, normal: [f32; 3], layer: Layer) -> Surface {
        Surface {
            albedo,
            normal,
            layer,
            kind: Kind::Home,
            glass: 0.3,
            lamp: [1.0, 0.72, 0.38],
            flood: 0.0,
            alpine: false,
        }
    }
}

/// One sample; all bytes are fractions of 255.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texel {
    pub surface: u16,
    pub part: Part,
    /// Reflectance relative to the surface's.
    pub shade: u8,
    /// Fixed random number of the window or plant, which is compared with the share that is lit or has
    /// turned.
    pub dice: u8,
    /// Tendency to hold snow; 0 never holds any.
    pub snow: u8,
}

impl Texel {
    pub(super) const SKY: Texel = Texel { surface: 0, part: Part::Sky, shade: 0, dice: 0, snow: 0 };

    /// Returns a sample of `part`; `shade` is in 0..1.
    pub(super) fn new(surface: u16, part: Part, shade: f32) -> Texel {
        Texel { surface, part, shade: byte(shade), dice: 0, snow: 0 }
    }

    pub(super) fn dice(self, dice: u8) -> Texel {
        Texel { dice, ..self }
    }

    /// Sets the tendency to hold snow, in 0..1.
    pub(super) fn snow(self, snow: f32) -> Texel {
        Texel { snow: byte(snow), ..self }
    }
}

fn byte(fraction: f32) -> u8 {
    (fraction * 255.0) as u8
}
