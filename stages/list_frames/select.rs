//! Which frames of which video to take.

use crate::video::Index;

/// Positions to take of each video: one every `every_seconds` of its time (0: all of them), and
/// of these `count` spread evenly over all videos (0: all of them).
pub fn select(indexes: &[Index], count: usize, every_seconds: f64) -> Vec<Vec<usize>> {
    let mut selected: Vec<Vec<usize>> = indexes.iter().map(|i| by_time(&i.times, every_seconds)).collect();
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

fn by_time(times: &[f64], step: f64) -> Vec<usize> {
    let mut due = f64::NEG_INFINITY;
    let mut taken = Vec::new();
    for (position, time) in times.iter().enumerate() {
        // Half a millisecond: time bases round.
        if *time + 5e-4 >= due {
            taken.push(position);
            due = if step > 0.0 {
                times[0] + step * ((time + 5e-4 - times[0]) / step).floor() + step
            } else {
                due
            };
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(frames: usize, rate: f64) -> Index {
        Index { times: (0..frames).map(|n| n as f64 / rate).collect() }
    }

    #[test]
    fn a_count_is_spread_over_all_videos() {
        let taken = select(&[video(6, 10.0), video(4, 10.0)], 5, 0.0);
        assert_eq!(taken, [vec![0, 2, 4], vec![0, 2]]);
        assert_eq!(select(&[video(3, 1.0)], 10, 0.0), [vec![0, 1, 2]]);
    }

    #[test]
    fn a_time_step_follows_the_clock_not_the_frame_count() {
        assert_eq!(select(&[video(10, 10.0)], 0, 0.3), [vec![0, 3, 6, 9]]);
        let uneven = Index { times: vec![0.0, 0.1, 1.05, 1.9, 2.0, 3.5] };
        assert_eq!(select(&[uneven], 0, 1.0), [vec![0, 2, 4, 5]]);
    }
}
