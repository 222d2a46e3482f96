//! Formats of image files, by extension and by the first bytes.

use std::path::Path;

/// Supported format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG: baseline, progressive or arithmetic, with 8 bits per channel.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// TIFF, with integer pixels.
    Tiff,
}

/// Longest side of an image in pixels, which is the limit of JPEG.
pub(crate) const LARGEST_SIDE: u32 = 65_535;

/// Largest number of megapixels of an image. Photographs of telephones have up to 200. Decoded, an image at the limit
/// takes 0.8 GB. Decoding takes more: `list_frames` took 1.4 GB for a WebP or a TIFF of 108 megapixels with alpha, and
/// 0.9 GB for a WebP without alpha.
pub(crate) const MOST_MEGAPIXELS: u64 = 270;

/// Names of the supported formats, for messages.
pub const FORMATS: &str = "PNG, JPEG, WebP or TIFF";

/// Extensions of the supported formats, in lower case.
pub const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "tif", "tiff"];

/// Extensions of images in formats that are not supported, in lower case.
const OTHER_EXTENSIONS: [&str; 12] =
    ["avif", "bmp", "dng", "exr", "gif", "heic", "heif", "jfif", "jp2", "jxl", "ppm", "tga"];

/// Position, bytes and format of the files of supported formats.
const SUPPORTED: [(usize, &[u8], Format); 7] = [
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (0, b"\xff\xd8\xff", Format::Jpeg),
    (8, b"WEBP", Format::WebP),
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (0, b"II+\0", Format::Tiff),
    (0, b"MM\0+", Format::Tiff),
];

/// Position, bytes and description of other files that occur in folders of images.
const OTHERS: [(usize, &[u8], &str); 31] = [
    (8, b"CR\x02\0", "a raw photograph (CR2)"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftyphev", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftypmsf1", "a HEIF image"),
    (4, b"ftypcrx", "a raw photograph (CR3)"),
    (4, b"ftyp", "a video"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL image"),
    (4, b"jP  \r\n\x87\n", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"qoif", "a QOI image"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\0\0\x01\0", "an icon (ICO)"),
    (0, b"P5\n", "a PGM image"),
    (0, b"P6\n", "a PPM image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG image"),
    (0, b"<?xml", "an XML document"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the image)"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
];

impl Format {
    /// Recognises the format of a file by its first bytes. Extensions are ignored, because many are wrong.
    ///
    /// # Errors
    /// Returns a description of the file, such as `a GIF image`, or nothing if its format is unknown.
    pub fn of(bytes: &[u8]) -> Result<Self, Option<&'static str>> {
        let begins = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
        if let Some((.., name)) = OTHERS.iter().find(|(at, magic, _)| begins(*at, magic)) {
            return Err(Some(name));
        }
        let found = SUPPORTED.iter().find(|(at, magic, _)| begins(*at, magic));
        found.map(|(.., format)| *format).ok_or(None)
    }
}

/// Returns true if a file's name has the extension of a supported format.
pub fn is_image(path: &Path) -> bool {
    extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Returns true if a file's name has the extension of an image format that is not supported.
pub fn is_other_image(path: &Path) -> bool {
    extension(path).is_some_and(|extension| OTHER_EXTENSIONS.contains(&extension.as_str()))
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_string_lossy().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_recognised_by_its_first_bytes() {
        assert_eq!(Format::of(b"RIFF\x10\0\0\0WEBPVP8 "), Ok(Format::WebP));
        assert_eq!(Format::of(b"II*\0\x08\0\0\0"), Ok(Format::Tiff));
        assert_eq!(Format::of(b"II*\0\x10\0\0\0CR\x02\0"), Err(Some("a raw photograph (CR2)")));
        assert_eq!(Format::of(b"\0\0\0\x1cftypheic\0\0"), Err(Some("a HEIC image")));
        assert_eq!(Format::of(b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28"), Err(Some("a BMP image")));
        assert_eq!(Format::of(b"no image"), Err(None));
        assert_eq!(Format::of(b""), Err(None));
    }

    #[test]
    fn extensions_are_compared_without_case() {
        assert!(is_image(Path::new("a/1.JPEG")) && is_image(Path::new("1.Tiff")));
        assert!(!is_image(Path::new("png")) && !is_image(Path::new("1.heic")));
        assert!(is_other_image(Path::new("1.HEIC")) && !is_other_image(Path::new("notes.txt")));
    }
}
