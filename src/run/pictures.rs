//! Copies of the images that workers report, kept in the folder of the run.

use std::fs;
use std::io;
use std::path::Path;

use callsheet_worker::protocol::{Level, WorkerEvent};

/// First bytes of a PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Returns the event as the run records it. An image is copied to the folder of the `run`; if that fails, a
/// warning replaces the event. Relative paths in events are relative to `folder`, the worker's.
pub(super) fn keep_picture(event: WorkerEvent, folder: &Path, run: &Path, stage: &str) -> WorkerEvent {
    let WorkerEvent::Image { name, step, path } = event else { return event };
    let kept = Path::new("images").join(stage).join(format!("{}-{step:09}.png", file_name(&name)));
    match copy(&folder.join(&path), &run.join(&kept)) {
        Ok(()) => WorkerEvent::Image { name, step, path: kept },
        Err(error) => WorkerEvent::Log {
            level: Level::Warning,
            message: format!("cannot keep the image `{}` of step {step}: {error}", path.display()),
        },
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if !bytes.starts_with(PNG) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a PNG file"));
    }
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(to, bytes)
}

/// Returns a file name for `name`: different names get different files, and no file leaves its folder.
fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => file.push(byte.into()),
            _ => file.push_str(&format!("%{byte:02x}")),
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, path: &str, folder: &Path) -> WorkerEvent {
        let event = WorkerEvent::Image { name: name.to_owned(), step: 7, path: path.into() };
        keep_picture(event, folder, &folder.join("run"), "train")
    }

    #[test]
    fn file_names_of_pictures_are_unique_and_stay_in_their_folder() {
        assert_eq!(file_name("state/colour"), "state%2fcolour");
        assert_eq!(file_name("../é"), "%2e%2e%2f%c3%a9");
    }

    #[test]
    fn files_that_are_not_png_images_are_warned_about_and_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.png"), PNG).expect("written");
        fs::write(folder.path().join("b.png"), "text").expect("written");
        let WorkerEvent::Image { path, .. } = told("a", "a.png", folder.path()) else { panic!("not kept") };
        assert_eq!(path, Path::new("images/train/a-000000007.png"));
        for (path, wanted) in [("b.png", "it is not a PNG file"), ("c.png", "c.png")] {
            let WorkerEvent::Log { level, message } = told("b", path, folder.path()) else { panic!("kept") };
            assert_eq!(level, Level::Warning);
            assert!(message.contains(wanted) && message.contains("step 7"), "{message}");
        }
        assert_eq!(fs::read_dir(folder.path().join("run/images/train")).expect("listed").count(), 1);
    }
}
