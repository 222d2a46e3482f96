// Rows and thumbnails that were loaded, in windows of equal size.

import { batch, signal } from "../vendor/signals-core.mjs";
import { askRows, askThumbnails, explained, WINDOW } from "./server.js";
import { anchor, at, failure, image, remember, sort, start, total, where } from "./state.js";

/** Number of windows that are kept. */
const KEPT = 40;

/** @typedef {import("./table.js").Row} Row */
/** @typedef {{ rows?: Row[], requested: boolean, thumbnails?: (string | null)[], column: string }} Window */

/** Changes whenever something was loaded. */
export const loaded = signal(0);
/** Reason why values are missing. */
export const problem = signal("");

/** Selection whose rows are shown, which is behind that of the address while the server is asked. */
let selection = { where: "", sort: "", verdicts: "" };
/** @type {Map<number, Window>} */
const windows = new Map();
let current = new AbortController();
/** Selection that is being requested. */
let next = new AbortController();

/** Loads the beginning of the selection in the address. The rows before stay until then. */
export async function select() {
  next.abort();
  next = new AbortController();
  const { signal } = next;
  const requested = { where: where.value, sort: sort.value, verdicts: "" };
  const begin = Math.floor(start.at / WINDOW) * WINDOW;
  try {
    const answer = await askRows({ ...requested, at: begin }, signal);
    if (signal.aborted) return;
    clear();
    selection = { ...requested, verdicts: answer.verdicts };
    windows.set(begin / WINDOW, { rows: answer.rows, requested: true, column: "" });
    batch(() => {
      anchor.value = null;
      at.value = Math.min(start.at, Math.max(0, answer.total - 1));
      [failure.value, problem.value, total.value] = ["", answer.problem ?? "", answer.total];
      loaded.value += 1;
    });
    remember(false);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/** Row at a position of the selection, if it was loaded. @param {number} position */
export function rowAt(position) {
  return windows.get(Math.floor(position / WINDOW))?.rows?.[position % WINDOW];
}

/** Position of the row with a key, if it was loaded. @param {string} key */
export function positionOf(key) {
  for (const [number, { rows }] of windows) {
    const place = rows?.findIndex((row) => row.key === key) ?? -1;
    if (place >= 0) return number * WINDOW + place;
  }
  return null;
}

/** Thumbnail at a position of the selection. @param {number} position */
export function thumbnailAt(position) {
  const found = windows.get(Math.floor(position / WINDOW));
  return found?.column === image.value ? found.thumbnails?.[position % WINDOW] : undefined;
}

/**
 * Loads the rows from one position to another, if they are not there.
 * @param {number} from
 * @param {number} to
 */
export function need(from, to) {
  const [first, last] = [Math.floor(from / WINDOW), Math.floor(Math.max(from, to - 1) / WINDOW)];
  for (let number = first; number <= last; number++) {
    const found = windows.get(number) ?? { requested: false, column: "" };
    // The latest ones are at the end of the map.
    windows.delete(number);
    windows.set(number, found);
    load(number, found).catch(fail);
  }
  for (const [number, window] of windows) {
    if (windows.size <= KEPT) break;
    if (number >= first && number <= last) continue;
    windows.delete(number);
    revoke(window);
  }
}

/**
 * Loads the rows of a window, and then their thumbnails: these belong to rows of the table, not to positions.
 * @param {number} number
 * @param {Window} window
 */
async function load(number, window) {
  const { signal } = current;
  if (!window.requested) {
    window.requested = true;
    try {
      const answer = await askRows({ ...selection, at: number * WINDOW }, signal);
      if (signal.aborted) return;
      // The server no longer knows the selection with the verdicts of that time: its positions have changed.
      if (answer.verdicts !== selection.verdicts) {
        start.at = at.value;
        return await select();
      }
      window.rows = answer.rows;
      if (answer.problem) problem.value = answer.problem;
      loaded.value += 1;
    } catch (error) {
      windows.delete(number);
      if (signal.aborted) return;
      throw error;
    }
  }
  const column = image.value;
  if (!window.rows || !column || window.column === column) return;
  revoke(window);
  window.column = column;
  try {
    const thumbnails = await askThumbnails(column, window.rows.map(({ row }) => row), signal);
    if (window.column === column && windows.get(number) === window) window.thumbnails = thumbnails;
    else revoke({ ...window, thumbnails });
    loaded.value += 1;
  } catch (error) {
    window.column = "";
    if (!signal.aborted) throw error;
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

/** @param {unknown} error */
function fail(error) {
  failure.value = explained(error);
}
