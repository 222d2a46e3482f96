//! Position of the sun, seen from the camera.

use std::f32::consts::TAU;

/// Latitude of Seattle in radians.
const LATITUDE: f32 = 0.8308;
/// Tilt of the Earth's axis in radians.
const TILT: f32 = 0.409;
/// Direction of view at the middle of the panorama, in degrees clockwise from north. Sunsets are in the
/// picture; at noon, the sun is behind the camera and lights the facades.
const LOOKING: f32 = -30.0;

/// Direction towards the sun.
pub(super) struct Sun {
    /// Height over the horizon in degrees.
    pub elevation: f32,
    /// Angle to the right of the middle of the panorama in degrees, -180..180.
    pub bearing: f32,
    /// Unit vector: right, up, towards the camera.
    pub direction: [f32; 3],
}

/// Declination in radians at a fraction of the year (0 is mid-winter).
fn declination(season: f32) -> f32 {
    -TILT * (TAU * season).cos()
}

/// Returns the hours between noon and sunset.
pub(super) fn half_day(season: f32) -> f32 {
    (-LATITUDE.tan() * declination(season).tan()).acos() * 24.0 / TAU
}

/// Returns the position of the sun at a local solar hour (0..24) and fraction of the year.
pub(super) fn position(hour: f32, season: f32) -> Sun {
    let (tilt, angle) = (declination(season), (hour - 12.0) / 24.0 * TAU);
    let up = LATITUDE.sin() * tilt.sin() + LATITUDE.cos() * tilt.cos() * angle.cos();
    let east = -tilt.cos() * angle.sin();
    let north = LATITUDE.cos() * tilt.sin() - LATITUDE.sin() * tilt.cos() * angle.cos();
    let bearing = wrap(east.atan2(north).to_degrees() - LOOKING);
    let flat = (1.0 - up * up).max(0.0).sqrt();
    let (right, ahead) = bearing.to_radians().sin_cos();
    Sun {
        elevation: up.clamp(-1.0, 1.0).asin().to_degrees(),
        bearing,
        direction: [flat * right, up, -flat * ahead],
    }
}

/// Returns the position of the full moon. It is always opposite the sun, so that it is not another factor.
pub(super) fn moon(sun: &Sun) -> Sun {
    Sun {
        elevation: -sun.elevation,
        bearing: wrap(sun.bearing + 180.0),
        direction: sun.direction.map(|v| -v),
    }
}

/// Brings an angle in degrees to -180..180.
pub(super) fn wrap(angle: f32) -> f32 {
    (angle + 180.0).rem_euclid(360.0) - 180.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_is_highest_at_noon_and_higher_in_summer() {
        assert!(position(12.0, 0.5).elevation > 60.0);
        assert!(position(12.0, 0.0).elevation < 25.0);
        assert!(position(0.0, 0.5).elevation < -10.0);
    }

    #[test]
    fn sunset_is_on_the_left_and_ends_the_half_day() {
        let sunset = position(12.0 + half_day(0.4), 0.4);
        assert!(sunset.elevation.abs() < 0.5);
        assert!(sunset.bearing < 0.0);
    }
}
