//! Times of presentation that a container does not store.

use super::framecrc::Listing;

/// True for codecs whose missing times of presentation follow from the times of decoding. MPEG program streams
/// store no time for a frame that begins in the packet of the container in which another frame begins.
pub(super) fn has_filled_times(codec: &str) -> bool {
    matches!(codec, "mpeg1video" | "mpeg2video")
}

/// Fills in missing times of presentation as ffmpeg's option `genpts` does: a frame to which others refer is shown
/// when the next such frame is decoded. ffmpeg itself knows the times of all other frames.
pub(super) fn fill_times(listing: &mut Listing) {
    let entries = &mut listing.entries;
    if !has_filled_times(&listing.codec) || entries.iter().all(|entry| entry.shown.is_none()) {
        return;
    }
    let last = entries.last().and_then(|last| Some(last.decoded? + last.duration));
    let mut next = last;
    for entry in entries.iter_mut().rev() {
        if entry.shown == entry.decoded {
            continue;
        }
        entry.shown = entry.shown.or(next);
        next = entry.decoded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lib::video::framecrc::listing;

    #[test]
    fn missing_times_of_mpeg_2_come_from_the_next_reference() {
        let missing = i64::MIN;
        let times = [(0, 1), (1, missing), (2, 2), (3, 3), (4, missing)];
        let packets = times.map(|(decoded, shown)| format!("0, {decoded}, {shown}, 1, 9, 0xab\n"));
        let text = format!("#tb 0: 1/10\n#codec_id 0: mpeg2video\n{}", packets.concat());
        let mut listing = listing(text.as_bytes());
        fill_times(&mut listing);
        let shown: Vec<_> = listing.entries.iter().map(|entry| entry.shown).collect();
        assert_eq!(shown, [Some(1), Some(4), Some(2), Some(3), Some(5)]);
    }
}
