//! Selection of frames or packets by their numbers, as an expression of ffmpeg.

/// Largest number of runs in an expression. With more, ffmpeg evaluates it more slowly than it passes on all
/// frames.
const MOST_RUNS: usize = 400;

/// Returns an expression for the frames or packets with the ascending `numbers` among those that a filter sees.
/// Returns none if the expression would be too long, so that all must be passed on.
pub(crate) fn expression(numbers: &[usize]) -> Option<String> {
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    if let [_, second, ..] = numbers
        && numbers.windows(2).all(|pair| pair[1] - pair[0] == second - first)
    {
        let step = second - first;
        return Some(format!("between(n,{first},{last})*not(mod(n-{first},{step}))"));
    }
    let runs: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .map(|run| format!("between(n,{},{})", run[0], run[run.len() - 1]))
        .collect();
    (runs.len() <= MOST_RUNS).then(|| runs.join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_name_steps_and_runs() {
        assert_eq!(expression(&[2, 5, 8]).as_deref(), Some("between(n,2,8)*not(mod(n-2,3))"));
        assert_eq!(expression(&[1, 2, 3, 9]).as_deref(), Some("between(n,1,3)+between(n,9,9)"));
        assert_eq!(expression(&(0..2000).map(|n| n * n).collect::<Vec<_>>()), None);
    }
}
