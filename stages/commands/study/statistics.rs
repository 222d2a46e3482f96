//! Agreement between participants.

/// Fleiss' kappa (1971): agreement beyond chance of people who put items into categories. Each item contains
/// the number of people who put it into each category. Items may have different numbers of people; those with
/// fewer than two are ignored. Returns none if no item is left, or if only one category was ever chosen.
pub(super) fn fleiss_kappa<const CATEGORIES: usize>(items: &[[usize; CATEGORIES]]) -> Option<f64> {
    let people = |item: &[usize; CATEGORIES]| item.iter().sum::<usize>();
    let items: Vec<[usize; CATEGORIES]> = items.iter().copied().filter(|item| people(item) > 1).collect();
    let all: usize = items.iter().map(people).sum();
    let by_chance: f64 = (0..CATEGORIES)
        .map(|category| items.iter().map(|item| item[category]).sum::<usize>() as f64 / all as f64)
        .map(|share| share * share)
        .sum();
    let agreeing = |item: &[usize; CATEGORIES]| {
        let pairs: usize = item.iter().map(|count| count * count.saturating_sub(1)).sum();
        pairs as f64 / (people(item) * (people(item) - 1)) as f64
    };
    let found = items.iter().map(agreeing).sum::<f64>() / items.len() as f64;
    // `by_chance` is NaN without items, and 1 if only one category was chosen.
    (by_chance < 1.0).then(|| (found - by_chance) / (1.0 - by_chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleiss_kappa_of_14_people_who_put_10_items_into_5_categories() {
        // The common worked example: an agreement of 0.378, and 0.213 by chance.
        let items = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let found = fleiss_kappa(&items).expect("a value");
        assert!((found - 0.209_930_704_4).abs() < 1e-9, "{found}");
    }

    #[test]
    fn kappa_is_1_if_all_agree_and_undefined_without_variation() {
        assert_eq!(fleiss_kappa(&[[3, 0, 0], [0, 0, 5], [0, 1, 0]]), Some(1.0));
        // Two people who never agree, with two answers that are equally common: -1.
        assert_eq!(fleiss_kappa(&[[1, 0, 1], [1, 0, 1]]), Some(-1.0));
        for none in [&[][..], &[[1, 0, 0]], &[[4, 0, 0], [9, 0, 0]]] {
            assert_eq!(fleiss_kappa(none), None, "{none:?}");
        }
    }
}
