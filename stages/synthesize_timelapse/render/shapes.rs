//! Simple shapes that are painted on the canvas with one texel. All lengths are in units of the height.

use super::canvas::Canvas;
use super::surface::Texel;

impl Canvas {
    pub(super) fn rect(&mut self, x0: f32, y0: f32, x1: f32, y1: f32, texel: Texel) {
        self.paint([x0, y0, x1, y1], |_, _| Some(texel));
    }

    pub(super) fn ellipse(&mut self, centre: (f32, f32), radii: (f32, f32), texel: Texel) {
        let ((x, y), (a, b)) = (centre, radii);
        self.paint([x - a, y - b, x + a, y + b], |px, py| {
            (((px - x) / a).powi(2) + ((py - y) / b).powi(2) < 1.0).then_some(texel)
        });
    }

    /// Paints a straight stroke of the given thickness.
    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32, texel: Texel) {
        let half = thickness / 2.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let square = (dx * dx + dy * dy).max(1e-9);
        let area = [
            from.0.min(to.0) - half,
            from.1.min(to.1) - half,
            from.0.max(to.0) + half,
            from.1.max(to.1) + half,
        ];
        self.paint(area, |x, y| {
            let t = (((x - from.0) * dx + (y - from.1) * dy) / square).clamp(0.0, 1.0);
            let far = (x - from.0 - t * dx).hypot(y - from.1 - t * dy);
            (far < half).then_some(texel)
        });
    }

    /// Paints a stroke along a curve, in `steps` straight pieces.
    pub(super) fn curve(
        &mut self,
        steps: u16,
        thickness: f32,
        texel: Texel,
        point: impl Fn(f32) -> (f32, f32),
    ) {
        for step in 0..steps {
            let (a, b) = (f32::from(step), f32::from(step + 1));
            let n = f32::from(steps);
            self.line(point(a / n), point(b / n), thickness, texel);
        }
    }

    /// Paints an upright shape around `x`, with `widths` at its top and base.
    pub(super) fn taper(&mut self, x: f32, top: f32, base: f32, widths: (f32, f32), texel: Texel) {
        let half = widths.0.max(widths.1) / 2.0;
        self.paint([x - half, top, x + half, base], |px, py| {
            let t = (py - top) / (base - top);
            let width = widths.0 + (widths.1 - widths.0) * t;
            ((px - x).abs() < width / 2.0).then_some(texel)
        });
    }
}
