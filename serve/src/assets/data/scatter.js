// Scatter plot of two columns. A lasso selects rows.

import { effect, signal, untracked } from "../vendor/signals-core.mjs";
import { count, html } from "../ui.js";
import { withCondition } from "./conditions.js";
import { found } from "./histograms.js";
import { corners, cross, drag, press } from "./lasso.js";
import { draw, loadMask, loadPoints, mask, points } from "./points.js";
import { explained } from "./server.js";
import { axes, failure, numbers, readable, remember, reselect, view, where } from "./state.js";

/** Colours of bars; from the palette of Okabe and Ito, which people with any colour vision can distinguish. */
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b3a100", "#7f5fc9", "#8c6d31", "#2f9e9e", "#a23b72", "#6b6f76"];
/** Red, green and blue of the colours of small, middle and large numbers. */
const SCALE = [[59, 91, 219], [34, 184, 165], [242, 193, 78]];

const size = signal({ width: 0, height: 0 });
/** @type {HTMLCanvasElement | null} */
let canvas = null;

/** Number of a pixel of an image. @param {string | number[]} colour */
function pixel(colour) {
  const [red = 0, green = 0, blue = 0] = typeof colour === "string" ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) : colour;
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Colour of each bar of the column that colours the points. @returns {string[]} */
function barColours() {
  const bars = found.value.find(({ name }) => name === axes.value.colour)?.bars;
  if (bars?.of === "categories") return bars.names.map((_, place) => PALETTE[place % PALETTE.length] ?? "");
  if (bars?.of !== "numbers") return [];
  const mixed = (/** @type {number} */ part) => {
    const at = Math.min(SCALE.length - 2, Math.floor(part * (SCALE.length - 1)));
    const rest = part * (SCALE.length - 1) - at;
    return SCALE[at]?.map((low, channel) => Math.round(low + rest * ((SCALE[at + 1]?.[channel] ?? 0) - low))) ?? [];
  };
  return bars.all.map((_, bin) => `#${mixed(bin / Math.max(1, bars.all.length - 1)).map((channel) => channel.toString(16).padStart(2, "0")).join("")}`);
}

/** Draws the points. */
function paint() {
  const [of, selected] = [points.value, mask.value];
  const [width, height] = [size.value.width, size.value.height].map((side) => Math.round(side * devicePixelRatio));
  const colours = barColours();
  if (!canvas || !of || !selected || !width || !height) return;
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const image = new ImageData(width, height);
  performance.mark("scatter");
  draw(of, selected, image, { faint: pixel(dark ? "#343945" : "#d9dde4"), plain: pixel(dark ? "#7fb8f5" : "#0b5cad"), bars: colours.map(pixel) });
  context?.putImageData(image, 0, 0);
  performance.measure("scatter", "scatter");
}

const watch = new ResizeObserver(([entry]) => {
  const { width = 0, height = 0 } = entry?.contentRect ?? {};
  size.value = { width, height };
});

/** @param {HTMLCanvasElement | null} element */
function attach(element) {
  if (element === canvas) return;
  watch.disconnect();
  canvas = element;
  if (element?.parentElement) watch.observe(element.parentElement);
}

const failed = (/** @type {unknown} */ error) => {
  if (!(error instanceof DOMException)) failure.value = explained(error);
};
effect(() => {
  const { x, y, colour } = axes.value;
  if (view.value === "scatter") untracked(() => loadPoints(x, y, colour).catch(failed));
});
effect(() => {
  const conditions = where.value;
  if (view.value === "scatter") untracked(() => loadMask(conditions).catch(failed));
});
effect(paint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

/** Column as the condition of a lasso has it. @param {string} name */
const term = (name) => found.value.find((histogram) => histogram.name === name)?.term ?? name;

/** Number at a part of an axis, with as many digits as its width needs. @param {"x" | "y"} axis @param {number} part */
function valueAt(axis, part) {
  const { range, least } = points.value ?? {};
  if (!range || !least) return 0;
  const [from, to] = range[axis];
  const value = least[axis] + from + part * (to - from);
  const digits = Math.ceil(Math.log10(Math.max(1, Math.abs(value) / (to - from)))) + 5;
  return Number(value.toPrecision(Math.min(17, digits)));
}

/** Selects the rows inside of a polygon. @param {import("./lasso.js").Corner[]} polygon */
function select(polygon) {
  if (!points.value) return;
  const texts = polygon.map(([x, y]) => `${valueAt("x", x)} ${valueAt("y", 1 - y)}`);
  const { x, y } = axes.value;
  reselect({ where: withCondition(where.value, `${term(x)}&${term(y)}`, `"${texts.join(" ")}"`) }, true);
}

/** @param {{ label: string, name: "x" | "y" | "colour", columns: { name: string }[] }} properties */
function axis({ label, name, columns }) {
  const change = (/** @type {Event} */ event) => {
    axes.value = { ...axes.value, [name]: /** @type {HTMLSelectElement} */ (event.target).value };
    remember(true);
  };
  return html`<span><label for=${`axis-${name}`}>${label}</label><select id=${`axis-${name}`} onChange=${change}>
    ${name === "colour" && html`<option value="" selected=${!axes.value.colour}>none</option>`}
    ${columns.map((column) => html`<option value=${column.name} selected=${axes.value[name] === column.name}>${column.name}</option>`)}
  </select></span>`;
}

function Legend() {
  const bars = found.value.find(({ name }) => name === axes.value.colour)?.bars;
  const colours = barColours();
  const texts = bars?.of === "categories" ? bars.names : bars?.of === "numbers" ? bars.ends.slice(0, -1) : [];
  const every = bars?.of === "numbers" ? Math.ceil(texts.length / 6) : 1;
  // Colours come from styles that a script sets, which the page allows.
  return html`<div class="legend">${texts.map((text, place) => place % every === 0 && html`<span><i style=${{ background: colours[place] }}></i>${text || "empty text"}</span>`)}</div>`;
}

export function Scatter() {
  const end = (/** @type {"x" | "y"} */ axis, /** @type {number} */ part) => (points.value ? valueAt(axis, part).toLocaleString("en", { maximumSignificantDigits: 8 }) : "");
  const outline = corners.value.map(([x, y]) => `${x * 100},${y * 100}`).join(" ");
  const [crossX, crossY] = cross.value ?? [0, 0];
  return html`<div class="plot">
    <div class="filter">${axis({ label: "x", name: "x", columns: numbers })} ${axis({ label: "y", name: "y", columns: numbers })}
      ${axis({ label: "Colour", name: "colour", columns: readable })}</div>
    <div class="points" role="application" tabindex="0" aria-label=${`Scatter plot of ${axes.value.y} over ${axes.value.x}. Arrows move a cross, the space bar sets a corner of a lasso, and Enter selects the rows inside.`}
        onPointerDown=${(/** @type {PointerEvent} */ event) => drag(event, select)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => press(event, select)}>
      <canvas ref=${attach}></canvas>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        ${corners.value.length > 0 && html`<polygon points=${outline} />`}
        ${cross.value && html`<path d=${`M${crossX * 100 - 2} ${crossY * 100}h4M${crossX * 100} ${crossY * 100 - 2}v4`} />`}
      </svg>
    </div>
    <div class="ends"><span>${end("x", 0)}</span><span>${axes.value.x}</span><span>${end("x", 1)}</span></div>
    <p class="note">${axes.value.y}: ${end("y", 0)} to ${end("y", 1)}, upwards. Draw around points to select their rows${points.value ? `; ${count(points.value.x.length)} points` : ""}.</p>
    ${Legend()}
  </div>`;
}
