//! Unusual properties of image files.

/// Unusual properties of an image file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// EXIF declares that the image is rotated or mirrored.
    pub rotated: bool,
    /// The image has a colour profile.
    pub profile: bool,
    /// The image may have transparent pixels.
    pub transparent: bool,
    /// The image has more than 8 bits per channel.
    pub deep: bool,
    /// The image is grey.
    pub grey: bool,
    /// The file has several pictures, for example an animation.
    pub several: bool,
}

impl Traits {
    /// Names of the properties, for messages.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.rotated, "rotated by EXIF"),
            (self.profile, "with a colour profile (not applied)"),
            (self.transparent, "transparent"),
            (self.deep, "of 16 bits"),
            (self.grey, "grey"),
            (self.several, "of several pictures (only the first is read)"),
        ];
        all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name)
    }
}
