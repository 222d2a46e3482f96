//! Hours at which the lights in windows are on.

/// Share of office windows that are lit, by hour of the day.
pub(super) const OFFICE_HOURS: [(f32, f32); 9] = [
    (0.0, 0.16),
    (4.0, 0.10),
    (6.0, 0.22),
    (8.5, 0.55),
    (16.0, 0.65),
    (19.0, 0.55),
    (21.0, 0.34),
    (23.0, 0.20),
    (24.0, 0.16),
];
/// Share of windows of homes that are lit, by hour of the day.
pub(super) const HOME_HOURS: [(f32, f32); 9] = [
    (0.0, 0.18),
    (3.0, 0.06),
    (5.0, 0.12),
    (7.0, 0.40),
    (10.0, 0.25),
    (16.0, 0.35),
    (20.0, 0.66),
    (22.5, 0.45),
    (24.0, 0.18),
];

/// Interpolates linearly in a table of (hour, share).
pub(super) fn between(hours: &[(f32, f32)], hour: f32) -> f32 {
    hours.windows(2).find(|w| hour <= w[1].0).map_or(hours[0].1, |w| {
        let t = (hour - w[0].0) / (w[1].0 - w[0].0);
        w[0].1 + (w[1].1 - w[0].1) * t
    })
}
