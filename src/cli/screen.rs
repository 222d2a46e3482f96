//! Lines at the bottom of a terminal that are drawn again in place.

use std::io::Write;

use callsheet_worker::print::width;

/// Width of a terminal that does not report its width.
const DEFAULT_WIDTH: usize = 80;

/// Lines that are drawn below the printed ones.
#[derive(Default)]
pub(super) struct Screen {
    /// Number of lines that are drawn.
    drawn: usize,
}

impl Screen {
    /// Number of columns of the terminal.
    pub(super) fn width() -> usize {
        kdam::term::width().map_or(DEFAULT_WIDTH, usize::from).max(20)
    }

    /// Number of lines of the terminal, if it reports it.
    pub(super) fn height() -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
        Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
    }

    /// Prints `above`, and draws `lines` below in place of those that were drawn before. Each must fit into a line of the
    /// terminal.
    pub(super) fn draw(&mut self, above: &[String], lines: &[String]) {
        if above.is_empty() && lines.is_empty() && self.drawn == 0 {
            return;
        }
        // Everything is written at once, so that the terminal shows no intermediate state.
        let mut text = if self.drawn > 0 { format!("\x1b[{}A\r\x1b[J", self.drawn) } else { String::new() };
        for line in above.iter().chain(lines) {
            text += line;
            text.push('\n');
        }
        self.drawn = lines.len();
        // A failure, such as a closed terminal, must not end the run.
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// Beginning of a text that takes at most `most` cells of a terminal.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if width(&kept) >= most {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_cells_of_the_terminal() {
        assert_eq!(cut("train", 5), "train");
        assert_eq!(cut("training", 5), "trai…");
        assert_eq!(width(&cut("日本語日本語", 7)), 7);
        assert_eq!(width(&cut("日本語日本語", 6)), 5, "a wide character takes two cells");
    }
}
