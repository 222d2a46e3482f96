//! Output files of translations.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use image::RgbImage;

use crate::lib::picture::{encode_png, montage};
use crate::lib::video::{Encoder, Format};

/// Form of an output, from its name.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Picture,
    Moving,
    Folder,
}

/// Destination of translations.
pub(super) struct Output {
    path: PathBuf,
    form: Form,
}

impl Output {
    fn new(path: &Path, allowed: &[Form], required: &str) -> Result<Self> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let form = match extension.as_deref() {
            _ if path.is_dir() => Some(Form::Folder),
            Some("png") => Some(Form::Picture),
            Some("gif" | "mp4") => Some(Form::Moving),
            None => Some(Form::Folder),
            Some(_) => None,
        };
        match form.filter(|form| allowed.contains(form)) {
            Some(form) => Ok(Self { path: path.to_owned(), form }),
            None => Err(user_error_with_code(
                Code::Conflict,
                format!("cannot write to `{}`: the output must be {required}", path.display()),
                format!("set --output to {required}"),
            )),
        }
    }

    /// Output of `transfer`: a PNG file for one image, a folder for a folder of images.
    ///
    /// # Errors
    /// Returns an error if the name has another extension.
    pub(super) fn of_images(path: &Path, folder: bool) -> Result<Self> {
        if folder {
            return Self::new(path, &[Form::Folder], "a folder, because CONTENT is a folder");
        }
        let allowed: &[Form] = if path.is_dir() { &[Form::Folder] } else { &[Form::Picture] };
        Self::new(path, allowed, "a file that ends in .png, or an existing folder")
    }

    /// Output of `sample`: a strip of pictures, or a folder with a file for each.
    ///
    /// # Errors
    /// Returns an error if the name has another extension.
    pub(super) fn of_strip(path: &Path) -> Result<Self> {
        Self::new(path, &[Form::Picture, Form::Folder], "a file that ends in .png, or a folder")
    }

    /// Output of `interpolate`: a strip of pictures, or an animation.
    ///
    /// # Errors
    /// Returns an error if the name has another extension.
    pub(super) fn of_way(path: &Path) -> Result<Self> {
        Self::new(path, &[Form::Picture, Form::Moving], "a file that ends in .png, .gif or .mp4")
    }

    /// Returns true if the output is an animation.
    pub(super) fn moves(&self) -> bool {
        self.form == Form::Moving
    }

    /// Path of the translation of the content at `path`.
    pub(super) fn file(&self, path: &Path) -> PathBuf {
        match self.form {
            Form::Folder => self.path.join(path.file_stem().unwrap_or_default()).with_added_extension("png"),
            _ => self.path.clone(),
        }
    }

    /// Writes a content image and its translations side by side, or only the translations to a folder.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub(super) fn strip(&self, content: &RgbImage, translated: Vec<RgbImage>) -> Result<()> {
        if self.form == Form::Folder {
            let mut files = translated.iter().enumerate();
            return files.try_for_each(|(n, picture)| save(&self.path.join(format!("{n:03}.png")), picture));
        }
        let row = [content.clone()].into_iter().chain(translated).map(Some).collect();
        save(&self.path, &montage(&[row]))
    }

    /// Checks that the output does not overwrite an image that is read.
    ///
    /// # Errors
    /// Returns an error if it would overwrite one.
    pub(super) fn spare(&self, images: &[&Path]) -> Result<()> {
        let same = |image: &Path| fs::canonicalize(image).ok().zip(fs::canonicalize(self.file(image)).ok());
        match images.iter().find(|image| same(image).is_some_and(|(image, output)| image == output)) {
            Some(image) => {
                let message =
                    format!("`{}` is an input and would be overwritten by the output", image.display());
                Err(user_error_with_code(Code::Conflict, message, "write to another file or folder"))
            }
            None => Ok(()),
        }
    }

    /// Starts an animation with pictures of `size`, `rate` of them per second.
    ///
    /// # Errors
    /// Returns an error if ffmpeg is missing.
    pub(super) fn moving(&self, size: (u32, u32), rate: u32) -> Result<Moving> {
        make_folder(&self.path)?;
        let staged = self.path.with_added_extension("partial");
        let gif = self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gif"));
        let format = if gif { Format::Gif } else { Format::Mp4 };
        let encoder = Encoder::create(&staged, format, size, rate)?;
        Ok(Moving { encoder, staged, path: self.path.clone() })
    }
}

/// Animation that is being written.
pub(super) struct Moving {
    encoder: Encoder,
    staged: PathBuf,
    path: PathBuf,
}

impl Moving {
    /// Adds a picture.
    pub(super) fn add(&mut self, picture: &RgbImage) {
        // If ffmpeg has ended, `finish` returns its error.
        let _ = self.encoder.frame(picture.as_raw());
    }

    /// Finishes the file. It appears complete or not at all.
    ///
    /// # Errors
    /// Returns an error if ffmpeg failed, or the file cannot be written.
    pub(super) fn finish(self) -> Result<()> {
        settle(self.encoder.finish(), &self.staged, &self.path)
    }
}

fn make_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))
}

/// Writes a picture as PNG, completely or not at all.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub(super) fn save(path: &Path, picture: &RgbImage) -> Result<()> {
    make_folder(path)?;
    let staged = path.with_added_extension("partial");
    settle(fs::write(&staged, encode_png(picture)?).map_err(Into::into), &staged, path)
}

/// Renames the staged file to `path` if it was `written`, and removes it otherwise.
fn settle(written: Result<()>, staged: &Path, path: &Path) -> Result<()> {
    let settled = written.and_then(|()| Ok(fs::rename(staged, path)?));
    if settled.is_err() {
        let _ = fs::remove_file(staged);
    }
    settled.with_context(|| format!("cannot write `{}`", path.display()))
}
