//! Tests of properties of the renderer on small pictures.

use super::{Factors, Renderer, sample};

const WIDTH: u32 = 736;
const HEIGHT: u32 = 96;
const NOON: Factors = Factors { time_of_day: 12.0, cloud: 0.0, haze: 0.0, season: 0.5 };

fn renderer() -> Renderer {
    Renderer::new(1, WIDTH, HEIGHT)
}

fn mean(bytes: &[u8]) -> f64 {
    bytes.iter().map(|&b| f64::from(b)).sum::<f64>() / bytes.len() as f64
}

/// Mean absolute difference, 0..255.
fn distance(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x.abs_diff(y))).sum::<f64>() / a.len() as f64
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let (_, factors) = sample(3, 5);
    let frame = renderer().frame(3, 5, &factors);
    assert_eq!(frame.len(), (WIDTH * HEIGHT * 3) as usize);
    assert_eq!(frame, renderer().frame(3, 5, &factors));
}

#[test]
fn a_frame_does_not_depend_on_how_many_are_rendered() {
    let renderer = renderer();
    let alone = renderer.frame(3, 4, &sample(3, 4).1);
    let last = (0..5).map(|i| renderer.frame(3, i, &sample(3, i).1)).next_back();
    assert_eq!(Some(alone), last);
}

#[test]
fn every_factor_changes_the_picture() {
    let (renderer, noon) = (renderer(), renderer().frame(1, 1, &NOON));
    let changes = [
        Factors { time_of_day: 20.0, ..NOON },
        Factors { cloud: 0.6, ..NOON },
        Factors { haze: 0.4, ..NOON },
        Factors { season: 0.8, ..NOON },
    ];
    for factors in changes {
        assert!(distance(&noon, &renderer.frame(1, 1, &factors)) > 3.0, "{factors:?}");
    }
}

#[test]
fn night_is_darker_than_noon_and_not_black() {
    let renderer = renderer();
    let night = mean(&renderer.frame(1, 1, &Factors { time_of_day: 0.0, ..NOON }));
    let noon = mean(&renderer.frame(1, 1, &NOON));
    assert!(night < 0.6 * noon, "{night} {noon}");
    assert!(night > 10.0, "{night}");
}

#[test]
fn the_moving_parts_touch_under_two_percent_of_the_pixels() {
    let renderer = renderer();
    for time_of_day in [12.0, 0.0] {
        let factors = Factors { time_of_day, ..NOON };
        let (a, b) = (renderer.frame(1, 1, &factors), renderer.frame(1, 2, &factors));
        let changed = a.chunks(3).zip(b.chunks(3)).filter(|(x, y)| x != y).count();
        let share = changed as f64 / f64::from(WIDTH * HEIGHT);
        assert!(share > 0.0 && share < 0.02, "{share}");
    }
}

#[test]
fn the_eight_crops_differ() {
    let frame = renderer().frame(1, 1, &NOON);
    let row = (WIDTH * 3) as usize;
    let (side, step) = ((HEIGHT * 3) as usize, (row - (HEIGHT * 3) as usize) / 7 / 3 * 3);
    let crops: Vec<Vec<u8>> = (0..8)
        .map(|k| frame.chunks(row).flat_map(|r| &r[k * step..k * step + side]).copied().collect())
        .collect();
    for (i, a) in crops.iter().enumerate() {
        for b in &crops[..i] {
            assert!(distance(a, b) > 8.0);
        }
    }
}

#[test]
fn a_large_picture_shows_the_same_scene() {
    let small = renderer().frame(1, 1, &NOON);
    let large = Renderer::new(1, WIDTH * 2, HEIGHT * 2).frame(1, 1, &NOON);
    let (wide, row) = ((WIDTH * 6) as usize, (WIDTH * 3) as usize);
    let halved: Vec<u8> = (0..small.len())
        .map(|k| {
            let at = k / row * 2 * wide + k % row / 3 * 6 + k % 3;
            let sum: u32 = [0, 3, wide, wide + 3].iter().map(|d| u32::from(large[at + d])).sum();
            (sum / 4) as u8
        })
        .collect();
    assert!(distance(&small, &halved) < 4.0, "{}", distance(&small, &halved));
}

#[test]
fn the_renderer_can_be_shared_between_threads() {
    fn shared<T: Sync + Send>(_: &T) {}
    shared(&renderer());
}
