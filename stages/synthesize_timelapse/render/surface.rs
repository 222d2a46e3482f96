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

    /// Kilometres of air in front of the layer.
    pub(super) fn kilometres(self) -> f32 {
        [55.0, 24.0, 10.0, 5.0, 3.0, 1.8, 0.7][self as usize]
    }
}

/// Kind of thing that a sample shows; decides how it is shaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Sky,
    Water,
    Wall,
    Window,
    /// A plant: colour by season.
    Leaf,
    /// A small lamp that is part of a structure.
    Bulb,
}

/// Use of a surface's windows (hours of light), or the kind of its plant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Office,
    Home,
    Evergreen,
    Deciduous,
    Grass,
}

/// A set of samples that share orientation, distance and material.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surface {
    /// Linear reflectance.
    pub albedo: Rgb,
    /// Unit vector: right, up, towards the camera.
    pub normal: [f32; 3],
    pub layer: Layer,
    pub kind: Kind,
    /// Mirror strength of its windows, 0..1.
    pub glass: f32,
    /// Colour of lit windows and bulbs.
    pub lamp: Rgb,
    /// Floodlight by night, 0..1.
    pub flood: f32,
    /// Snow lies by the mountain's snow line, not the city's weather.
    pub alpine: bool,
}

impl Surface {
    /// A dull surface without lamps.
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
    /// Fixed chance of this window or plant, compared with the share that is lit or turned.
    pub dice: u8,
    /// Readiness to hold snow; 0 never does.
    pub snow: u8,
}

impl Texel {
    pub(super) const SKY: Texel = Texel { surface: 0, part: Part::Sky, shade: 0, dice: 0, snow: 0 };

    /// A sample of `part`; `shade` is 0..1.
    pub(super) fn new(surface: u16, part: Part, shade: f32) -> Texel {
        Texel { surface, part, shade: byte(shade), dice: 0, snow: 0 }
    }

    pub(super) fn dice(self, dice: u8) -> Texel {
        Texel { dice, ..self }
    }

    /// `snow` is 0..1.
    pub(super) fn snow(self, snow: f32) -> Texel {
        Texel { snow: byte(snow), ..self }
    }
}

fn byte(fraction: f32) -> u8 {
    (fraction * 255.0) as u8
}
