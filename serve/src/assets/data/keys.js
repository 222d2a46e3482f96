// Keys of the page of a table. A test looks for two meanings of one key.

import { signal } from "../vendor/signals-core.mjs";
import { canJudge, mark, markWith } from "./marks.js";
import { go, layout, show } from "./scroll.js";
import { anchor, at, image, images, open, remember, total } from "./state.js";
import { back } from "./verdicts.js";

/** @typedef {{ keys: string[], effect: string, act: (extend: boolean, key: string) => void, once?: boolean }} Key */

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
  { keys: ["x"], effect: "exclude", act: () => mark("exclude"), once: true },
  { keys: ["i"], effect: "include", act: () => mark("include"), once: true },
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], effect: "exclude for this reason", act: (_, key) => markWith(Number(key) - 1), once: true },
  { keys: ["r"], effect: "write a reason", act: () => document.getElementById("reason")?.focus() },
  { keys: ["u"], effect: "undo", act: () => back("undo") },
  { keys: ["U"], effect: "redo", act: () => back("redo") },
];

/** @type {Key[]} */
export const KEYS = [
  { keys: ["ArrowRight", "l"], effect: "next row", act: (extend) => go(at.value + 1, extend) },
  { keys: ["ArrowLeft", "h"], effect: "previous row", act: (extend) => go(at.value - 1, extend) },
  { keys: ["ArrowDown", "j"], effect: "row below", act: (extend) => go(at.value + row(), extend) },
  { keys: ["ArrowUp", "k"], effect: "row above", act: (extend) => go(at.value - row(), extend) },
  { keys: ["PageDown"], effect: "one page down", act: (extend) => go(at.value + page(), extend) },
  { keys: ["PageUp"], effect: "one page up", act: (extend) => go(at.value - page(), extend) },
  { keys: ["Home"], effect: "first row", act: (extend) => go(0, extend) },
  { keys: ["End"], effect: "last row", act: (extend) => go((total.value ?? 1) - 1, extend) },
  { keys: ["Enter"], effect: "show the row alone", act: () => show(true) },
  { keys: ["Escape"], effect: "show all rows again", act: leave },
  { keys: ["["], effect: "previous column of images", act: () => changeImage(-1) },
  { keys: ["]"], effect: "next column of images", act: () => changeImage(1) },
  { keys: ["/"], effect: "write a condition", act: () => document.getElementById("where")?.focus() },
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
  // A key that is held down would judge rows that nobody has seen.
  if (!(known.once && event.repeat)) known.act(event.shiftKey && event.key.length > 1, event.key);
}
