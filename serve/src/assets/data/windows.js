// Rows and thumbnails that were loaded, in windows of equal size.

import { signal } from "../vendor/signals-core.mjs";
import { askRows, askThumbnails, Refused, WINDOW } from "./server.js";
import { at, failure, image, sort, total, view, where } from "./state.js";

/** Number of windows that are kept. */
const KEPT = 40;

/** @typedef {import("./table.js").Row} Row */
/** @typedef {{ rows?: Row[], thumbnails?: (string | null)[], asked: boolean, askedThumbnails: string }} Window */

/** Changes whenever something was loaded. */
export const loaded = signal(0);
/** Reason why values are missing. */
export const problem = signal("");

/** Selection whose rows are shown, which is behind that of the address while the server is asked. */
let selection = { where: "", sort: "", then: "" };
/** @type {Map<number, Window>} */
const windows = new Map();
let current = new AbortController();
/** Selection that is being asked for. */
let asking = new AbortController();

/** Loads the beginning of the selection in the address. The rows before stay until then. */
export async function select() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = { where: where.value, sort: sort.value };
  const start = Math.floor(at.value / WINDOW) * WINDOW;
  try {
    const answer = await askRows({ ...asked, at: start }, signal);
    if (signal.aborted) return;
    clear();
    selection = { ...asked, then: answer.then };
    windows.set(start / WINDOW, { rows: answer.rows, asked: true, askedThumbnails: "" });
    at.value = Math.min(at.value, Math.max(0, answer.total - 1));
    [failure.value, problem.value, total.value] = ["", answer.problem ?? "", answer.total];
    loaded.value += 1;
  } catch (error) {
    if (!signal.aborted) failure.value = error instanceof Refused ? error.message : String(error);
  }
}

/** Row at a position of the selection, if it was loaded. @param {number} position */
export function rowAt(position) {
  return windows.get(Math.floor(position / WINDOW))?.rows?.[position % WINDOW];
}

/** Thumbnail at a position of the selection. @param {number} position */
export function thumbnailAt(position) {
  const found = windows.get(Math.floor(position / WINDOW));
  return found?.askedThumbnails === image.value ? found.thumbnails?.[position % WINDOW] : undefined;
}

/**
 * Loads the rows from one position to another, if they are not there.
 * @param {number} from
 * @param {number} to
 */
export function need(from, to) {
  const [first, last] = [Math.floor(from / WINDOW), Math.floor(Math.max(from, to - 1) / WINDOW)];
  for (let number = first; number <= last; number++) {
    const found = windows.get(number) ?? { asked: false, askedThumbnails: "" };
    // The latest ones are at the end of the map.
    windows.delete(number);
    windows.set(number, found);
    load(number, found);
  }
  for (const [number, window] of windows) {
    if (windows.size <= KEPT) break;
    if (number >= first && number <= last) continue;
    windows.delete(number);
    revoke(window);
  }
}

/**
 * @param {number} number
 * @param {Window} window
 */
async function load(number, window) {
  const { signal } = current;
  const part = { ...selection, at: number * WINDOW };
  const asked = [];
  if (!window.asked) {
    window.asked = true;
    asked.push(askRows(part, signal).then((answer) => {
      window.rows = answer.rows;
      if (answer.problem) problem.value = answer.problem;
    }));
  }
  const column = image.value;
  if (view.value !== "table" && column && window.askedThumbnails !== column) {
    revoke(window);
    window.askedThumbnails = column;
    asked.push(askThumbnails(column, part, signal).then((thumbnails) => {
      if (window.askedThumbnails === column && windows.get(number) === window) window.thumbnails = thumbnails;
      else revoke({ ...window, thumbnails });
    }));
  }
  for (const answer of asked) {
    answer.then(() => (loaded.value += 1)).catch((error) => {
      if (signal.aborted) return;
      windows.delete(number);
      failure.value = error instanceof Refused ? error.message : String(error);
    });
  }
}

/** Forgets all windows. */
function clear() {
  current.abort();
  current = new AbortController();
  for (const window of windows.values()) revoke(window);
  windows.clear();
}

/** @param {Window} window */
function revoke(window) {
  for (const address of window.thumbnails ?? []) if (address) URL.revokeObjectURL(address);
  window.thumbnails = undefined;
}
