// State of the page of a table. The address has all of it that another reader needs.

import { signal } from "../vendor/signals-core.mjs";

/** @typedef {import("./table.js").Description} Description */

export const place = /** @type {HTMLElement} */ (document.getElementById("data"));

/** @type {Description} */
export const table = JSON.parse(place.dataset.table ?? "");

export const images = table.columns.filter((column) => column.shown === "image").map((column) => column.name);
export const readable = table.columns.filter((column) => column.shown === "number" || column.shown === "text");

/** @typedef {{ where: string, sort: string, view: string, image: string, at: number, open: boolean }} Address */

/** Reads the state in the address. @returns {Address} */
function read() {
  const words = new URLSearchParams(location.search);
  const at = Number(words.get("at"));
  const image = words.get("image") ?? "";
  return {
    where: words.get("where") ?? "",
    sort: words.get("sort") ?? "",
    view: images.length > 0 && words.get("view") !== "table" ? "grid" : "table",
    image: images.includes(image) ? image : (images[0] ?? ""),
    at: Number.isSafeInteger(at) && at >= 0 ? at : 0,
    open: words.get("open") === "1",
  };
}

const first = read();
/** Conditions on the rows. */
export const where = signal(first.where);
/** Column of the order; with `-`, the largest value comes first. */
export const sort = signal(first.sort);
/** `grid` or `table`. */
export const view = signal(first.view);
/** Column of the images in the grid. */
export const image = signal(first.image);
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
  if (view.value !== (images.length > 0 ? "grid" : "table")) words.set("view", view.value);
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

/** Takes over the state of the address to which the browser went back. */
export function restore() {
  const state = read();
  [where.value, sort.value, view.value, image.value] = [state.where, state.sort, state.view, state.image];
  [at.value, open.value] = [state.at, state.open];
}
