// Keys of the page of a table. A test looks for two meanings of one key.

import { signal } from "../vendor/signals-core.mjs";
import { canJudge, mark, markWith } from "./marks.js";
import { go, layout, show } from "./scroll.js";
import { anchor, at, image, images, open, remember, total } from "./state.js";
import { back } from "./verdicts.js";

/** @typedef {{ keys: string[], says: string, act: (extend: boolean) => void }} Key */

/** Selects another column of images. @param {number} step */
function changeImage(step) {
  const next = images.indexOf(image.value) + step;
  image.value = images[(next + images.length) % images.length] ?? "";
  remember(false);
  go(at.value);
}

/** Shows all rows, or ends a range. */
function leave() {
  if (open.value) show(false);
  else anchor.value = null;
}

const row = () => (open.value ? 1 : layout.value.columns);
const page = () => Math.max(1, Math.floor(layout.value.height / layout.value.rowHeight)) * layout.value.columns;

/** Keys of verdicts. @type {Key[]} */
const VERDICTS = [
  { keys: ["x"], says: "exclude", act: () => mark("exclude") },
  { keys: ["i"], says: "include", act: () => mark("include") },
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], says: "exclude for this reason", act: () => {} },
  { keys: ["r"], says: "write a reason", act: () => document.getElementById("reason")?.focus() },
  { keys: ["u"], says: "undo", act: () => back("undo") },
  { keys: ["U"], says: "redo", act: () => back("redo") },
];

/** @type {Key[]} */
export const KEYS = [
  { keys: ["ArrowRight", "l"], says: "next row", act: (extend) => go(at.value + 1, extend) },
  { keys: ["ArrowLeft", "h"], says: "previous row", act: (extend) => go(at.value - 1, extend) },
  { keys: ["ArrowDown", "j"], says: "row below", act: (extend) => go(at.value + row(), extend) },
  { keys: ["ArrowUp", "k"], says: "row above", act: (extend) => go(at.value - row(), extend) },
  { keys: ["PageDown"], says: "one page down", act: (extend) => go(at.value + page(), extend) },
  { keys: ["PageUp"], says: "one page up", act: (extend) => go(at.value - page(), extend) },
  { keys: ["Home"], says: "first row", act: (extend) => go(0, extend) },
  { keys: ["End"], says: "last row", act: (extend) => go((total.value ?? 1) - 1, extend) },
  { keys: ["Enter"], says: "show the row alone", act: () => show(true) },
  { keys: ["Escape"], says: "show all rows again", act: leave },
  { keys: ["["], says: "previous column of images", act: () => changeImage(-1) },
  { keys: ["]"], says: "next column of images", act: () => changeImage(1) },
  { keys: ["/"], says: "write a condition", act: () => document.getElementById("where")?.focus() },
  ...(canJudge ? VERDICTS : []),
];

/** True if single characters are keys. Speech recognition may type them by mistake. */
export const characters = signal(localStorage.getItem("characters") !== "off");

/** Uses single characters as keys, or does not. @param {boolean} on */
export function useCharacters(on) {
  characters.value = on;
  localStorage.setItem("characters", on ? "on" : "off");
}

/** Short names of keys. @type {Record<string, string>} */
export const NAMES = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

/** Acts on a key. @param {KeyboardEvent} event */
export function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!(event.target instanceof Element)) return;
  const { target } = event;
  // A button has keys of its own, and a field has all of them.
  if (target.closest("input, select, textarea")) return;
  if (target.closest("button, a, summary") && ["Enter", " "].includes(event.key)) return;
  if (event.key.length === 1 && !characters.value) return;
  const known = KEYS.find(({ keys }) => keys.includes(event.key));
  if (!known || document.querySelector("dialog.conflict[open]")) return;
  event.preventDefault();
  if (/^[1-9]$/.test(event.key)) markWith(Number(event.key) - 1);
  else known.act(event.shiftKey && event.key.length > 1);
}
