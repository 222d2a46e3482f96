//! Frames that are stored next to damage.

use super::Index;
use super::index::Packet;

/// Number of bytes before a damaged packet whose frames are not used. Damage usually covers a block of a disk or
/// download, and decoders accept the packet in which it begins more often than the following ones.
const BLOCK: usize = 4096;

/// Difference in seconds between steps of a constant rate, because containers store milliseconds.
const ROUNDING: f64 = 1.5e-3;

/// Positions of the frames in the block before a damaged packet.
pub(super) fn suspicious(index: &Index, damage: usize) -> impl Iterator<Item = usize> {
    let mut distance = 0;
    let before = index.packets[..damage].iter().rev().take_while(move |packet| {
        let near = distance < BLOCK;
        distance += packet.size;
        near
    });
    before.filter_map(|packet| packet.position)
}

/// First packets after gaps in a damaged container, where packets are missing. A gap is longer than twice the
/// median time from frame to frame.
pub(super) fn gaps(index: &Index) -> Vec<usize> {
    let mut steps: Vec<f64> = index.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let Some(median) = steps.get(steps.len() / 2).filter(|_| index.damage.is_some()) else {
        return Vec::new();
    };
    let after = |position: usize| {
        let is_after = |packet: &Packet| packet.position.is_some_and(|p| p >= position);
        index.packets.iter().position(is_after)
    };
    let is_gap = |position: &usize| index.times[*position] - index.times[position - 1] > 2.0 * median;
    (1..index.times.len()).filter(is_gap).filter_map(after).collect()
}

/// Pauses in a video whose other frames come at a constant rate: the times before and after each. A frame may be
/// missing there. Returns none if more than one step in 20 is longer, or if a step has any other length: the rate is
/// then variable.
pub(crate) fn pauses(index: &Index) -> Vec<(f64, f64)> {
    let step = |pair: &&[f64]| pair[1] - pair[0];
    let mut steps: Vec<f64> = index.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let Some(median) = steps.get(steps.len() / 2).filter(|_| !index.numbered) else { return Vec::new() };
    let is_pause = |length: f64| length > 1.9 * median;
    let (longer, others): (Vec<f64>, Vec<f64>) = steps.iter().partition(|length| is_pause(**length));
    if longer.len() * 20 > steps.len() || others.iter().any(|length| (length - median).abs() > ROUNDING) {
        return Vec::new();
    }
    index.times.windows(2).filter(|pair| is_pause(step(pair))).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_within_a_block_before_damage_are_suspicious() {
        let index = Index::of_packets(&[0.0, 2.0, 1.0, 5.0, 3.0, 4.0, 6.0], &[0, 3]);
        assert_eq!(suspicious(&index, 4).collect::<Vec<_>>(), [5, 1, 2]);
        assert_eq!(suspicious(&index, 0).count(), 0);
    }

    #[test]
    fn packets_are_missing_before_gaps_of_a_damaged_container() {
        let mut index = Index::of_packets(&[0.0, 3.0, 1.0, 2.0, 9.0, 8.0], &[0]);
        index.times = vec![0.0, 1.0, 2.0, 3.0, 8.0, 9.0];
        let places = [0, 3, 1, 2, 5, 4];
        index.packets.iter_mut().zip(places).for_each(|(packet, place)| packet.position = Some(place));
        assert!(gaps(&index).is_empty());
        index.damage = Some("a packet is missing".to_owned());
        assert_eq!(gaps(&index), [4]);
    }

    #[test]
    fn pauses_are_found_at_a_constant_rate_only() {
        let of = |times: Vec<f64>| pauses(&Index { times, ..Index::default() });
        let rounded = |n: u32| (f64::from(n) * 1000.0 / 30.0).round() / 1000.0;
        let is_there = |n: &u32| *n != 20;
        assert_eq!(of((0..60).filter(is_there).map(rounded).collect()), [(0.633, 0.7)]);
        assert!(of((0..60).map(rounded).collect()).is_empty());
        let uneven = |n: u32| rounded(n) + f64::from(n % 2) * 0.004;
        assert!(of((0..60).filter(is_there).map(uneven).collect()).is_empty());
        assert!(of((0..60).filter(|n| n % 7 != 0).map(rounded).collect()).is_empty());
        assert!(of(vec![0.0]).is_empty());
    }
}
