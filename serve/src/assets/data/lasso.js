// A polygon that is drawn around points, by pointer or by keys.

import { signal } from "../vendor/signals-core.mjs";

/** @typedef {[number, number]} Corner position in the plot, from 0 to 1 */

/** Largest number of corners, so that addresses stay short. */
const MOST = 48;
/** Way of the cross by one key. */
const STEP = 0.025;

/** Corners of the polygon that is being drawn. */
export const corners = signal(/** @type {Corner[]} */ ([]));
/** Cross that is moved by keys; `null` if it is not used. */
export const cross = signal(/** @type {Corner | null} */ (null));

const within = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));

/** @param {PointerEvent} event @returns {Corner} */
function place(event) {
  const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
  return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
}

/** Draws by pointer. @param {PointerEvent} event @param {(corners: Corner[]) => void} done */
export function drag(event, done) {
  if (event.button !== 0) return;
  const plot = /** @type {HTMLElement} */ (event.currentTarget);
  plot.setPointerCapture(event.pointerId);
  corners.value = [place(event)];
  cross.value = null;
  plot.onpointermove = (moved) => (corners.value = [...corners.value, place(moved)]);
  plot.onpointerup = plot.onpointercancel = () => {
    plot.onpointermove = plot.onpointerup = plot.onpointercancel = null;
    finish(done);
  };
}

/** Draws by keys: arrows move the cross, the space bar sets a corner, Enter ends. @param {KeyboardEvent} event @param {(corners: Corner[]) => void} done */
export function press(event, done) {
  const [x, y] = cross.value ?? [0.5, 0.5];
  const step = event.shiftKey ? 4 * STEP : STEP;
  /** @type {Record<string, Corner>} */
  const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const way = ways[event.key];
  if (way) cross.value = [within(x + way[0]), within(y + way[1])];
  else if (event.key === " ") corners.value = [...corners.value, [x, y]];
  else if (event.key === "Enter") finish(done);
  else if (event.key === "Escape") corners.value = [];
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** @param {(corners: Corner[]) => void} done */
function finish(done) {
  const all = corners.value;
  corners.value = [];
  if (all.length < 3) return;
  const every = Math.ceil(all.length / MOST);
  done(all.filter((_, number) => number % every === 0));
}
