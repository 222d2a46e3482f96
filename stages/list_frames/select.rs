//! Selection of frames from each video.

use crate::lib::video::Index;

/// Returns the selected positions of each video, ascending. First one of the `candidates` is taken every
/// `every_seconds` of the video's time (0: all are taken). Of these, `count` are selected, spread evenly over
/// all videos (0: all).
pub(super) fn select(
    indexes: &[Index],
    candidates: Vec<Vec<usize>>,
    count: usize,
    every_seconds: f64,
) -> Vec<Vec<usize>> {
    let by_time = |(index, candidates)| by_time(index, candidates, every_seconds);
    let mut selected: Vec<Vec<usize>> = indexes.iter().zip(candidates).map(by_time).collect();
    let total: usize = selected.iter().map(Vec::len).sum();
    if count == 0 || count >= total {
        return selected;
    }
    let mut seen = 0;
    let mut taken = 0;
    for positions in &mut selected {
        positions.retain(|_| {
            let take = seen == taken * total / count;
            seen += 1;
            taken += usize::from(take);
            take
        });
    }
    selected
}

fn by_time(index: &Index, mut candidates: Vec<usize>, step: f64) -> Vec<usize> {
    let mut due = f64::NEG_INFINITY;
    candidates.retain(|position| {
        // Half a millisecond is added because time bases round.
        let since = index.times[*position] + 5e-4 - index.times[0];
        let take = since >= due;
        if take && step > 0.0 {
            due = step * (since / step).floor() + step;
        }
        take
    });
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(times: Vec<f64>) -> Index {
        Index { keys: vec![true; times.len()], times, ..Index::default() }
    }

    fn of(videos: &[Index], count: usize, every_seconds: f64) -> Vec<Vec<usize>> {
        let all = videos.iter().map(|video| (0..video.times.len()).collect()).collect();
        select(videos, all, count, every_seconds)
    }

    fn even(frames: usize, rate: f64) -> Index {
        video((0..frames).map(|n| n as f64 / rate).collect())
    }

    #[test]
    fn a_count_is_spread_over_all_videos() {
        let taken = of(&[even(6, 10.0), even(4, 10.0)], 5, 0.0);
        assert_eq!(taken, [vec![0, 2, 4], vec![0, 2]]);
        assert_eq!(of(&[even(3, 1.0)], 10, 0.0), [vec![0, 1, 2]]);
    }

    #[test]
    fn a_time_step_follows_the_clock_not_the_frame_count() {
        assert_eq!(of(&[even(10, 10.0)], 0, 0.3), [vec![0, 3, 6, 9]]);
        assert_eq!(of(&[video(vec![0.0, 0.1, 1.05, 1.9, 2.0, 3.5])], 0, 1.0), [vec![0, 2, 4, 5]]);
    }

    #[test]
    fn only_candidates_are_taken() {
        let videos = [even(10, 10.0)];
        assert_eq!(select(&videos, vec![vec![1, 2, 8, 9]], 0, 0.3), [vec![1, 8, 9]]);
        assert_eq!(select(&videos, vec![vec![1, 2, 8, 9]], 2, 0.0), [vec![1, 8]]);
    }
}
