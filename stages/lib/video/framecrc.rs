//! Output of ffmpeg's muxer `framecrc`: one line for each packet or frame.

/// Lines of all streams, and properties of the first stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Listing {
    /// Unit of times in seconds.
    pub unit: f64,
    /// Name of the codec, e.g. `h264`.
    pub codec: String,
    /// Lines in the order of the output.
    pub entries: Vec<Entry>,
}

/// Line of a packet or frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Number of the stream in the output.
    pub stream: usize,
    /// Time of decoding in the listing's unit, if known.
    pub decoded: Option<i64>,
    /// Time of presentation in the listing's unit, if known.
    pub shown: Option<i64>,
    /// Duration in the listing's unit.
    pub duration: i64,
    /// Size in bytes.
    pub size: usize,
    flags: u32,
}

/// Bit of the flags: the packet's frame needs no earlier frames.
const KEY: u32 = 1;

/// Bit of the flags: a part of the packet is missing.
const CORRUPT: u32 = 2;

/// Bit of the flags: the packet's frame is decoded but not shown, because an edit list cuts it off.
const DISCARD: u32 = 4;

impl Entry {
    /// True if the packet's frame needs no earlier frames.
    pub(super) fn is_key(&self) -> bool {
        self.flags & KEY != 0
    }

    /// True if ffmpeg knows that a part of the packet is missing.
    pub(super) fn is_corrupt(&self) -> bool {
        self.flags & CORRUPT != 0
    }

    /// True if an edit list hides the packet's frame.
    pub(super) fn is_hidden(&self) -> bool {
        self.flags & DISCARD != 0
    }

    /// Reads a line `stream, dts, pts, duration, size, checksum`. The field `F=0x5` follows if the flags differ
    /// from those of a key frame; other fields may follow.
    fn of(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [stream, decoded, shown, duration, size, _, ..] = fields[..] else { return None };
        // The smallest number represents a missing time.
        let time = |field: &str| field.parse().ok().filter(|time| *time != i64::MIN);
        let flags = fields.get(6).and_then(|field| field.strip_prefix("F=0x"));
        Some(Self {
            stream: stream.parse().ok()?,
            decoded: time(decoded),
            shown: time(shown),
            duration: duration.parse().ok()?,
            size: size.parse().ok()?,
            flags: flags.and_then(|flags| u32::from_str_radix(flags, 16).ok()).unwrap_or(KEY),
        })
    }
}

/// Reads the output of `framecrc`. A last line that is incomplete is left out.
pub(super) fn listing(output: &[u8]) -> Listing {
    let text = String::from_utf8_lossy(output);
    let head = |name: &str| {
        let line = text.lines().take_while(|line| line.starts_with('#')).find(|line| line.starts_with(name));
        line.and_then(|line| Some(line.split_once(": ")?.1.trim())).unwrap_or_default()
    };
    let unit = head("#tb 0").split_once('/').and_then(|(numerator, denominator)| {
        Some(numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?)
    });
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.starts_with('#'));
    Listing {
        unit: unit.unwrap_or(1.0),
        codec: head("#codec_id 0").to_owned(),
        entries: lines.filter_map(Entry::of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_flags_and_the_codec_are_read_and_an_incomplete_line_is_left_out() {
        let text = [
            "#software: Lavf\n#tb 0: 1/10\n#codec_id 0: h264\n#tb 1: 1/3",
            "0, -1, 0, 1, 9, 0xab",
            "1, 0, -9223372036854775808, 1, 8, 0xcd, F=0x6, S=1, MPEGTS Stream ID, 1, 0x00e000e0",
            "0, 1, 2, 1, 9",
        ]
        .join("\n");
        let listing = listing(text.as_bytes());
        assert_eq!((listing.unit, listing.codec.as_str()), (0.1, "h264"));
        let [first, second] = &listing.entries[..] else { panic!("{listing:?}") };
        assert_eq!((first.decoded, first.shown, first.size), (Some(-1), Some(0), 9));
        assert!(first.is_key() && !first.is_corrupt() && !first.is_hidden());
        assert_eq!((second.stream, second.shown), (1, None));
        assert!(!second.is_key() && second.is_corrupt() && second.is_hidden());
    }

    #[test]
    fn bytes_that_are_not_text_do_not_end_the_reading() {
        let output = b"#tb 0: 1/10\n#title \xff\n0, 0, 0, 1, 9, 0xab\n\xff\n0, 1, 1, 1, 9, 0xab\n";
        assert_eq!(listing(output).entries.len(), 2);
    }
}
