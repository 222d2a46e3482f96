//! Design of a study: the outputs of each question, their sides, and the order.

use callsheet_figures::label::letter;
use rand::seq::SliceRandom;

use super::key::{Purpose, Side};
use crate::lib::random::stream;

/// A question, before its pictures are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Position of the scene.
    pub scene: usize,
    /// Methods whose outputs are shown on the left and on the right.
    pub makers: [usize; 2],
    /// Purpose of the question.
    pub purpose: Purpose,
}

/// Returns the questions of a study in the order of their ids. Maker 0 is `ours`. The other `methods` - 1
/// follow, and then one for real images and one for noise. In the first `scenes` scenes, each other method is
/// compared with `ours`. In the `checks` scenes after them, real images are compared with noise.
pub(super) fn planned(methods: usize, scenes: usize, checks: usize, seed: i64) -> Vec<Planned> {
    let question = |scene, [this, that]: [usize; 2], side, purpose: fn(Side) -> Purpose| {
        let makers = if side == Side::Left { [this, that] } else { [that, this] };
        Planned { scene, makers, purpose: purpose(side) }
    };
    let mut questions = Vec::new();
    for other in 1..methods {
        let sides = sides(scenes, other, seed).into_iter().enumerate();
        questions.extend(sides.map(|(scene, side)| question(scene, [0, other], side, Purpose::Ours)));
    }
    let sides = sides(checks, methods, seed).into_iter().enumerate();
    let real = [methods, methods + 1];
    questions.extend(sides.map(|(n, side)| question(scenes + n, real, side, Purpose::Check)));
    questions.shuffle(&mut stream(seed, "order", 0));
    questions
}

/// Draws sides, as often left as right. If `count` is odd, `turn` determines the side that occurs more often.
fn sides(count: usize, turn: usize, seed: i64) -> Vec<Side> {
    let both = [Side::Left, Side::Right];
    let mut sides: Vec<Side> = both.into_iter().cycle().skip(turn % 2).take(count).collect();
    sides.shuffle(&mut stream(seed, "sides", turn as u64));
    sides
}

/// Returns a letter for each of `count` makers, in random order.
pub(super) fn letters(count: usize, seed: i64) -> Vec<String> {
    let mut letters: Vec<String> = (0..count).map(letter).collect();
    letters.shuffle(&mut stream(seed, "letters", 0));
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_method_is_asked_about_in_every_scene_with_balanced_sides() {
        let questions = planned(4, 7, 3, 5);
        assert_eq!(questions.len(), 3 * 7 + 3);
        let mut lefts = Vec::new();
        for other in 1..4 {
            let of = || questions.iter().filter(move |question| question.makers.contains(&other));
            let mut scenes: Vec<usize> = of().map(|question| question.scene).collect();
            scenes.sort_unstable();
            assert_eq!(scenes, (0..7).collect::<Vec<_>>());
            assert!(of().all(|question| match question.purpose {
                Purpose::Ours(Side::Left) => question.makers == [0, other],
                Purpose::Ours(Side::Right) => question.makers == [other, 0],
                Purpose::Check(_) => false,
            }));
            lefts.push(of().filter(|question| question.makers[0] == 0).count());
        }
        assert_eq!(lefts, [3, 4, 3]);
        let checks: Vec<&Planned> = questions.iter().filter(|question| question.scene >= 7).collect();
        assert_eq!(checks.len(), 3);
        assert!(checks.iter().all(|check| match check.purpose {
            Purpose::Check(Side::Left) => check.makers == [4, 5],
            Purpose::Check(Side::Right) => check.makers == [5, 4],
            Purpose::Ours(_) => false,
        }));
    }

    #[test]
    fn the_seed_decides_order_sides_and_letters() {
        assert_eq!(planned(3, 10, 2, 1), planned(3, 10, 2, 1));
        assert_ne!(planned(3, 10, 2, 1), planned(3, 10, 2, 2));
        assert_ne!(letters(9, 1), letters(9, 2));
        let mut all = letters(28, 0);
        all.sort_by_key(|letter| (letter.len(), letter.clone()));
        assert_eq!([&all[0], &all[25], &all[26], &all[27]], ["A", "Z", "AA", "AB"]);
    }
}
