//! Frames that are stored next to damage.

use super::Index;
use super::index::Packet;

/// Number of bytes before a damaged packet whose frames are not used. Damage usually covers a block of a disk or
/// download, and decoders accept the packet in which it begins more often than the following ones.
const BLOCK: usize = 4096;

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
}
