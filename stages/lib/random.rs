//! Random numbers that depend only on a seed, a purpose and an index. Draws do not influence each other, and
//! a stage that resumes at step n needs no generator state.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Generator for draw `index` of `purpose` under `seed`.
pub(crate) fn stream(seed: i64, purpose: &str, index: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&index.to_le_bytes()).update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Seed for libtorch's generator, for draws of complete tensors.
pub(crate) fn torch_seed(seed: i64, purpose: &str, index: u64) -> i64 {
    use rand_chacha::rand_core::RngCore;
    stream(seed, purpose, index).next_u64().cast_signed()
}
