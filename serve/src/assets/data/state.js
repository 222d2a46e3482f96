// State of the page of a table. The address has all of it that another reader needs.

import { batch, signal } from "../vendor/signals-core.mjs";

/** @typedef {import("./table.js").Description} Description */

export const place = /** @type {HTMLElement} */ (document.getElementById("data"));

/** @type {Description} */
export const table = JSON.parse(place.dataset.table ?? "");

export const images = table.columns.filter((column) => column.shown === "image").map((column) => column.name);
export const numbers = table.columns.filter((column) => column.shown === "number");
export const readable = table.columns.filter((column) => column.shown === "number" || column.shown === "text");

/** Views that the table has; the first one is shown unless the address names another. */
export const VIEWS = [...(images.length > 0 ? ["grid"] : []), "table", ...(numbers.length > 1 ? ["scatter"] : [])];

/** @typedef {{ x: string, y: string, colour: string }} Axes */
/** @typedef {{ where: string, sort: string, view: string, image: string, at: number, open: boolean, axes: Axes }} Address */

/** Name of a column if the table has it, else of the one at a position. @param {string | null} name @param {{ name: string }[]} columns @param {number} otherwise */
function column(name, columns, otherwise) {
  return columns.find((known) => known.name === name)?.name ?? columns[otherwise]?.name ?? "";
}

/** Reads the state in the address. @returns {Address} */
function read() {
  const words = new URLSearchParams(location.search);
  const at = Number(words.get("at"));
  const image = words.get("image") ?? "";
  return {
    where: words.get("where") ?? "",
    sort: words.get("sort") ?? "",
    view: VIEWS.find((name) => name === words.get("view")) ?? VIEWS[0] ?? "table",
    image: images.includes(image) ? image : (images[0] ?? ""),
    at: Number.isInteger(at) && at >= 0 && at < 2 ** 32 ? at : 0,
    open: words.get("open") === "1",
    axes: { x: column(words.get("x"), numbers, 0), y: column(words.get("y"), numbers, 1), colour: column(words.get("colour"), readable, -1) },
  };
}

const first = read();
/** Conditions on the rows. */
export const where = signal(first.where);
/** Column of the order; with `-`, the largest value comes first. */
export const sort = signal(first.sort);
/** One of [VIEWS]. */
export const view = signal(first.view);
/** Column of the images in the grid. */
export const image = signal(first.image);
/** Columns of the scatter plot. */
export const axes = signal(first.axes);
/** Position of the current row in the selection. */
export const at = signal(first.at);
/** True if the current row is shown alone. */
export const open = signal(first.open);
/** Position at which a range of rows begins that ends at the current one; `null` without a range. */
export const anchor = signal(/** @type {number | null} */ (null));
/** Number of selected rows; `null` until the server has answered. */
export const total = signal(/** @type {number | null} */ (null));
/** Reason why the selection cannot be shown. */
export const failure = signal("");

/** Address with the present state. */
function address() {
  const words = new URLSearchParams();
  if (table.with) words.set("with", table.with);
  if (view.value !== VIEWS[0]) words.set("view", view.value);
  if (view.value === "scatter") for (const [name, column] of Object.entries(axes.value)) if (column) words.set(name, column);
  if (where.value) words.set("where", where.value);
  if (sort.value) words.set("sort", sort.value);
  if (image.value !== (images[0] ?? "")) words.set("image", image.value);
  if (at.value) words.set("at", String(at.value));
  if (open.value) words.set("open", "1");
  const text = words.toString();
  return text ? `${location.pathname}?${text}` : location.pathname;
}

/** Writes the state into the address; with `step`, the browser can go back to the state before. @param {boolean} step */
export function remember(step) {
  if (address() === location.pathname + location.search) return;
  history[step ? "pushState" : "replaceState"](null, "", address());
}

/** Position at which the next selection begins to be shown. */
export const start = { at: first.at };

/**
 * Selects other rows, or another order. The current row stays until they are shown.
 * @param {{ where?: string, sort?: string }} selection
 * @param {boolean} step true if the browser can go back to the selection before
 */
export function reselect(selection, step) {
  start.at = 0;
  batch(() => {
    where.value = selection.where ?? where.value;
    sort.value = selection.sort ?? sort.value;
  });
  remember(step);
}

/** Takes over the state of the address to which the browser went back. */
export function restore() {
  const state = read();
  start.at = state.at;
  batch(() => {
    [where.value, sort.value, view.value, image.value] = [state.where, state.sort, state.view, state.image];
    [at.value, open.value, axes.value, anchor.value] = [state.at, state.open, state.axes, null];
  });
}
