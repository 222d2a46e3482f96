// Keys of the page of a table. A test looks for two meanings of one key.

import { go, layout, show } from "./scroll.js";
import { at, image, images, open, remember, total } from "./state.js";

/** @typedef {{ keys: string[], says: string, act: () => void }} Key */

/** Selects another column of images. @param {number} step */
function changeImage(step) {
  const next = images.indexOf(image.value) + step;
  image.value = images[(next + images.length) % images.length] ?? "";
  remember(false);
  go(at.value);
}

const row = () => (open.value ? 1 : layout.value.columns);
const page = () => Math.max(1, Math.floor(layout.value.height / layout.value.rowHeight)) * layout.value.columns;

/** @type {Key[]} */
export const KEYS = [
  { keys: ["ArrowRight", "l"], says: "next row", act: () => go(at.value + 1) },
  { keys: ["ArrowLeft", "h"], says: "previous row", act: () => go(at.value - 1) },
  { keys: ["ArrowDown", "j"], says: "row below", act: () => go(at.value + row()) },
  { keys: ["ArrowUp", "k"], says: "row above", act: () => go(at.value - row()) },
  { keys: ["PageDown"], says: "one page down", act: () => go(at.value + page()) },
  { keys: ["PageUp"], says: "one page up", act: () => go(at.value - page()) },
  { keys: ["Home"], says: "first row", act: () => go(0) },
  { keys: ["End"], says: "last row", act: () => go((total.value ?? 1) - 1) },
  { keys: ["Enter"], says: "show the row alone", act: () => show(true) },
  { keys: ["Escape"], says: "show all rows again", act: () => show(false) },
  { keys: ["["], says: "previous column of images", act: () => changeImage(-1) },
  { keys: ["]"], says: "next column of images", act: () => changeImage(1) },
  { keys: ["/"], says: "write a condition", act: () => document.getElementById("where")?.focus() },
];

/** Short names of keys. @type {Record<string, string>} */
export const NAMES = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

/** Acts on a key. @param {KeyboardEvent} event */
export function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = /** @type {HTMLElement} */ (event.target);
  // A button has keys of its own, and a field has all of them.
  if (target.closest("input, select, textarea")) return;
  if (target.closest("button, a, summary") && ["Enter", " "].includes(event.key)) return;
  const known = KEYS.find(({ keys }) => keys.includes(event.key));
  if (!known) return;
  event.preventDefault();
  known.act();
}
