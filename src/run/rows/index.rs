//! Index that finds a digest among a million others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use callsheet_worker::digest::Digest;

/// Index of digests in a list by their first bytes, which are as random as a hash of the digest.
pub(super) struct Index<'a> {
    digests: &'a [Digest],
    places: HashMap<u64, u32, BuildHasherDefault<First>>,
    /// Digests whose first bytes are equal to those of an earlier digest.
    rest: HashMap<Digest, usize>,
}

/// Identity hash, for numbers that are already random.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl<'a> Index<'a> {
    /// Builds the index in one pass over the digests.
    pub(super) fn new(digests: &'a [Digest]) -> Self {
        let mut places = HashMap::with_capacity_and_hasher(digests.len(), BuildHasherDefault::default());
        let mut rest = HashMap::new();
        for (place, digest) in digests.iter().enumerate() {
            match places.entry(first(digest)) {
                Entry::Vacant(free) => _ = free.insert(place as u32),
                Entry::Occupied(_) => _ = rest.insert(*digest, place),
            }
        }
        Self { digests, places, rest }
    }

    /// Returns the position of a digest in the list.
    pub(super) fn find(&self, digest: &Digest) -> Option<usize> {
        let place = *self.places.get(&first(digest))? as usize;
        if self.digests[place] == *digest { Some(place) } else { self.rest.get(digest).copied() }
    }
}

fn first(digest: &Digest) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| digest.as_bytes()[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_a_digest_and_rejects_others_with_equal_first_bytes() {
        let digest = |first: u8, last: u8| {
            let mut bytes = [first; 32];
            bytes[31] = last;
            Digest::from(bytes)
        };
        let digests: Vec<Digest> = (0..200).map(|n| digest(n / 2, n)).collect();
        let index = Index::new(&digests);
        assert!((0..200).all(|n| index.find(&digest(n / 2, n)) == Some(usize::from(n))));
        assert_eq!([index.find(&digest(0, 7)), index.find(&digest(201, 0))], [None, None]);
    }
}
