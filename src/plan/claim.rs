//! Claims that one training takes less time than another.

/// That one training takes less time than another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FasterClaim {
    /// What is claimed, in a sentence.
    pub claim: String,
    /// Stages before the one that is said to be faster, whose time counts though their steps do not.
    pub pretraining: Vec<String>,
    /// The training that is said to be faster.
    pub faster: Training,
    /// The one that it is said to be faster than.
    pub than: Training,
}

/// Repetitions of a training: of each the names of its stages, in their order.
pub type Training = Vec<Vec<String>>;
