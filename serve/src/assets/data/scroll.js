// Geometry of rows that are drawn only while they are in view.

import { computed, signal } from "../vendor/signals-core.mjs";
import { split } from "./conditions.js";
import { anchor, at, images, open, readable, remember, sort, total, view, where } from "./state.js";
import { need } from "./windows.js";

/** Largest height of an element, in pixels; browsers draw nothing below about 16 million. */
const MOST = 8_000_000;
/** Milliseconds of rest after which rows are loaded that were passed quickly. */
const REST = 80;
/** Smallest width of a cell of the grid, and heights of captions with one line and with two, in pixels. */
const CELL = 150;
const CAPTIONS = [28, 44];

/** @type {HTMLElement | null} */
let scroller = null;
/** Size of the visible part, in pixels. */
const size = signal({ width: 0, height: 0 });
/**
 * Position of the visible part among all rows, in pixels, and as the browser sees it: less if the rows are higher than an
 * element can be.
 */
const position = signal({ top: 0, scrolled: 0 });
let frame = 0;
let rest = 0;

/** Positions of the columns in captions: the first one, and those of the order and the conditions. */
export const captioned = computed(() => {
  const used = [sort.value.replace(/^-/, ""), ...split(where.value, ",").map((part) => part.split(":")[0])];
  return readable.flatMap((column, place) => (place === 0 || used.includes(column.name) ? [place] : [])).slice(0, 3);
});

/** Columns, height of a row, number of rows, and their height altogether. */
export const layout = computed(() => {
  const { width, height } = size.value;
  const isGrid = view.value !== "table" && images.length > 0;
  const columns = isGrid ? Math.max(2, Math.floor(width / CELL)) : 1;
  const caption = CAPTIONS[Math.min(captioned.value.length, CAPTIONS.length) - 1] ?? 0;
  const rowHeight = isGrid ? Math.floor((width / columns) * 0.75) + caption : images.length > 0 ? 56 : 32;
  const rows = Math.ceil((total.value ?? 0) / columns);
  return { columns, rowHeight, rows, all: rows * rowHeight, height };
});

/** Positions of the rows to draw, and the distance of the first one from the top of the scrolled element. */
export const inView = computed(() => {
  const { columns, rowHeight, rows, height } = layout.value;
  const { top, scrolled } = position.value;
  const first = Math.max(0, Math.floor(top / rowHeight) - 1);
  const last = Math.min(rows, Math.ceil((top + height) / rowHeight) + 1);
  const offset = first * rowHeight - top + scrolled;
  return { from: first * columns, to: Math.min(last * columns, total.value ?? 0), offset };
});

/** Height of the scrolled element. */
export function scrolledHeight() {
  return Math.min(layout.value.all, MOST);
}

/** Takes over the element that scrolls. @param {HTMLElement | null} element */
export function attach(element) {
  if (element === scroller) return;
  watch.disconnect();
  scroller = element;
  if (!element) return;
  size.value = { width: 0, height: 0 };
  watch.observe(element);
  element.addEventListener("scroll", () => (frame ||= requestAnimationFrame(follow)), { passive: true });
  element.addEventListener("scrollend", settle);
}

const watch = new ResizeObserver(() => {
  if (!scroller) return;
  const isFirst = size.peek().width === 0;
  const { columns, rowHeight } = layout.peek();
  const first = Math.floor(position.peek().top / rowHeight) * columns;
  // Neither the scroll bar nor the titles of a table are part of the rows.
  const titles = scroller.querySelector(".head")?.clientHeight ?? 0;
  size.value = { width: scroller.clientWidth, height: scroller.clientHeight - titles };
  if (isFirst) reveal();
  else moveTo(Math.floor(first / layout.peek().columns) * layout.peek().rowHeight);
});

/** Follows the browser to its position. */
function follow() {
  frame = 0;
  if (!scroller) return;
  const { all, height, rowHeight } = layout.peek();
  const before = position.peek();
  const scrolled = scroller.scrollTop;
  const moved = scrolled - before.scrolled;
  const most = Math.max(0, all - height);
  // A short way is exact also where the element is lower than the rows; a long one leads to a place in proportion.
  let top = scrolled;
  if (all > MOST && Math.abs(moved) < 2 * height) top = Math.min(most, Math.max(0, before.top + moved));
  else if (all > MOST) top = (scrolled / (MOST - height)) * most;
  position.value = { top, scrolled };
  clearTimeout(rest);
  if (Math.abs(top - before.top) > rowHeight) rest = setTimeout(load, REST);
  else load();
}

/** Puts the bar of the browser where it belongs after short ways. */
function settle() {
  cancelAnimationFrame(frame);
  follow();
  if (layout.peek().all > MOST) moveTo(position.peek().top);
}

/** Scrolls to a position among all rows. @param {number} wanted */
function moveTo(wanted) {
  if (!scroller) return;
  const { all, height } = layout.peek();
  const most = Math.max(0, all - height);
  const top = Math.min(most, Math.max(0, wanted));
  const place = all <= MOST ? top : (top / most) * (MOST - height);
  if (Math.abs(scroller.scrollTop - place) >= 1) scroller.scrollTop = place;
  position.value = { top, scrolled: scroller.scrollTop };
  load();
}

/** Loads the rows in view. */
export function load() {
  const { from, to } = inView.peek();
  if (to > from) need(from, to);
}

/** Scrolls to the current row, if it is out of view. */
export function reveal() {
  const { columns, rowHeight, height } = layout.peek();
  const row = Math.floor(at.peek() / columns) * rowHeight;
  const { top } = position.peek();
  moveTo(row < top ? row : Math.max(top, row + rowHeight - height));
}

/** Makes another row the current one. @param {number} row @param {boolean} [extend] true to select the rows on the way */
export function go(row, extend = false) {
  const last = (total.value ?? 1) - 1;
  anchor.value = extend ? (anchor.value ?? at.value) : null;
  at.value = Math.max(0, Math.min(last, row));
  remember(false);
  reveal();
}

/** Shows a row alone, or selects the rows up to it. @param {number} row @param {boolean} extend */
export function choose(row, extend) {
  go(row, extend);
  if (!extend) show(true);
}

/** Shows the current row alone, or all rows again. @param {boolean} alone */
export function show(alone) {
  open.value = alone;
  if (alone) anchor.value = null;
  remember(alone);
  if (!alone) scroller?.focus();
}
