// Points of a scatter plot: loaded, drawn, and found in a polygon.

import { signal } from "../vendor/signals-core.mjs";
import { askBytes } from "./server.js";

/** @typedef {{ x: Float32Array, y: Float32Array, least: { x: number, y: number }, bars: Uint8Array | null, range: { x: [number, number], y: [number, number] } }} Points */

/** Length of the beginning of an answer, in bytes: the number of rows, and the least x and y. */
const HEAD = 24;

/** Part of a range that is empty at each end. */
const MARGIN = 0.03;

/** Points of all rows; `null` until they are loaded. */
export const points = signal(/** @type {Points | null} */ (null));
/** One bit for each row, set if it is selected; `null` until it is loaded. */
export const mask = signal(/** @type {Uint8Array | null} */ (null));

let askingPoints = new AbortController();
let askingMask = new AbortController();

/** Smallest and largest finite number. @param {Float32Array} values @returns {[number, number]} */
function rangeOf(values) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least && value > -Infinity) least = value;
    if (value > most && value < Infinity) most = value;
  }
  if (least > most) return [0, 1];
  const margin = least === most ? 0.5 : MARGIN * (most - least);
  return [least - margin, most + margin];
}

/** Loads the points. @param {string} x @param {string} y @param {string} colour */
export async function loadPoints(x, y, colour) {
  askingPoints.abort();
  askingPoints = new AbortController();
  const { signal } = askingPoints;
  const bytes = await askBytes("points", { x, y, colour }, signal);
  if (signal.aborted) return;
  const head = new DataView(bytes, 0, HEAD);
  const rows = head.getUint32(0, true);
  const [first, second] = [new Float32Array(bytes, HEAD, rows), new Float32Array(bytes, HEAD + 4 * rows, rows)];
  const bars = colour ? new Uint8Array(bytes, HEAD + 8 * rows, rows) : null;
  const least = { x: head.getFloat64(8, true), y: head.getFloat64(16, true) };
  points.value = { x: first, y: second, least, bars, range: { x: rangeOf(first), y: rangeOf(second) } };
}

/** Loads the selected rows. @param {string} where */
export async function loadMask(where) {
  askingMask.abort();
  askingMask = new AbortController();
  const { signal } = askingMask;
  const bytes = await askBytes("mask", { where }, signal);
  if (!signal.aborted) mask.value = new Uint8Array(bytes);
}

/**
 * Draws all points into an image: first those that are not selected, then the others.
 * @param {Points} of
 * @param {Uint8Array} selected
 * @param {ImageData} image
 * @param {{ faint: number, plain: number, bars: number[] }} colours as 32-bit numbers of the image
 */
export function draw({ x, y, bars, range }, selected, image, colours) {
  const { width, height } = image;
  const pixels = new Uint32Array(image.data.buffer);
  const size = x.length > 20_000 ? 2 : x.length > 2_000 ? 3 : 5;
  const [scaleX, scaleY] = [(width - size) / (range.x[1] - range.x[0]), (height - size) / (range.y[1] - range.y[0])];
  const [left, top] = [range.x[0], range.y[1]];
  const table = Uint32Array.from({ length: 256 }, (_, bar) => (bars ? (colours.bars[bar] ?? colours.plain) : colours.plain));
  for (const wanted of [0, 1]) {
    for (let row = 0; row < x.length; row++) {
      if ((((selected[row >> 3] ?? 0) >> (row & 7)) & 1) !== wanted) continue;
      const column = (/** @type {number} */ (x[row]) - left) * scaleX;
      const line = (top - /** @type {number} */ (y[row])) * scaleY;
      // Missing and infinite values have no place.
      if (!(column >= 0 && line >= 0 && column < width && line < height)) continue;
      const colour = wanted === 0 ? colours.faint : /** @type {number} */ (table[bars ? (bars[row] ?? 255) : 255]);
      const at = (line | 0) * width + (column | 0);
      // Single writes are faster than `fill` for so few pixels.
      for (let start = at; start < at + size * width; start += width) {
        for (let pixel = start; pixel < start + size; pixel++) pixels[pixel] = colour;
      }
    }
  }
}
