// Histograms of the columns, which are filters.

import { computed, signal } from "../vendor/signals-core.mjs";
import { count, h, html, shows } from "../ui.js";
import { conditionOn, quoted, split, toggled, withCondition } from "./conditions.js";
import { askHistograms } from "./server.js";
import { reselect, table, where } from "./state.js";

/** @typedef {import("./table.js").Histogram} Histogram */

/** Histograms of the selection on the page. */
export const found = signal(/** @type {Histogram[]} */ ([]));
let asking = new AbortController();

/** Number of selected rows with a verdict, as a text: `, 12 judged`. */
export const judged = computed(() => {
  const bars = table.key && found.value.find(({ name }) => name === "verdict")?.bars;
  if (!bars || bars.of !== "categories" || conditionOn(where.value, "verdict")) return "";
  const rows = bars.selected.reduce((sum, rows, place) => (bars.names[place] === "none" ? sum : sum + rows), 0);
  return `, ${count(rows)} judged`;
});

/** Loads the histograms of the conditions in the address. */
export async function update() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    found.value = await askHistograms(where.value, signal);
  } catch (error) {
    // The page shows the reason, because the rows cannot be selected either.
    if (!signal.aborted) found.value = [];
  }
}

/** Replaces the condition on a column. @param {string} term @param {string} condition @param {boolean} step */
function set(term, condition, step) {
  reselect({ where: withCondition(where.value, term, condition) }, step);
}

/** First and last bin of a condition, if it is a range. @param {string} condition @param {string[]} ends */
function range(condition, ends) {
  const [least, most] = condition.split(/\.\.<?/);
  if (!condition || split(condition, "|").length > 1 || most === undefined) return null;
  const [from, to] = [least === "" ? -Infinity : Number(least), most === "" ? Infinity : Number(most)];
  return { from, to, covers: (/** @type {number} */ bin) => Number(ends[bin]) >= from && Number(ends[bin + 1]) <= to };
}

/** @param {{ term: string, name: string, bars: Extract<Histogram["bars"], { of: "numbers" }> }} properties */
function Numbers({ term, name, bars: { ends, all, selected } }) {
  const condition = conditionOn(where.value, term);
  const chosen = range(condition, ends);
  const last = all.length - 1;
  const highest = Math.max(1, ...all);
  const choose = (/** @type {number} */ one, /** @type {number} */ other, /** @type {boolean} */ step) => {
    const [from, to] = [Math.min(one, other), Math.max(one, other)];
    const least = from === 0 ? "" : ends[from];
    const most = to === last ? "" : `<${ends[to + 1]}`;
    set(term, from === 0 && to === last ? "" : `${least}..${most}`, step);
  };
  /** @param {PointerEvent} event */
  const drag = (event) => {
    if (event.button !== 0) return;
    const bars = /** @type {HTMLElement} */ (event.currentTarget);
    const box = bars.getBoundingClientRect();
    const bin = (/** @type {PointerEvent} */ at) =>
      Math.max(0, Math.min(last, Math.floor(((at.clientX - box.left) / box.width) * all.length)));
    const start = bin(event);
    const move = (/** @type {PointerEvent} */ moved) => choose(start, bin(moved), false);
    bars.setPointerCapture(event.pointerId);
    bars.onpointermove = move;
    bars.onpointerup = bars.onpointercancel = () => (bars.onpointermove = null);
    // The browser goes back to the selection before the drag.
    choose(start, start, true);
  };
  const field = (/** @type {string} */ label, /** @type {number} */ place) => {
    const [least = "", most = ""] = chosen ? condition.split("..") : [];
    const value = place === 0 ? least : most.replace("<", "");
    const change = (/** @type {Event} */ event) => {
      const text = /** @type {HTMLInputElement} */ (event.target).value.trim();
      const [from, to] = place === 0 ? [text, most] : [least, text];
      set(term, from || to ? `${from}..${to}` : "", true);
    };
    return html`<input inputmode="decimal" aria-label=${`${name} ${label}`} ref=${shows(value)} placeholder=${place === 0 ? ends[0] : ends[last + 1]} onChange=${change} />`;
  };
  return html`<div>
    <div class="bars" onPointerDown=${drag} aria-hidden="true">
      ${all.map((rows, bin) => html`<div class=${chosen && !chosen.covers(bin) ? "out" : ""} title=${`${ends[bin]} to ${ends[bin + 1]}: ${count(selected[bin] ?? 0)} of ${count(rows)} rows`}>
        <i style=${{ height: `${(rows / highest) * 100}%` }}></i>
        <b style=${{ height: `${((selected[bin] ?? 0) / highest) * 100}%` }}></b>
      </div>`)}
    </div>
    <div class="range">${field("from", 0)} <span>to</span> ${field("to", 1)}</div>
  </div>`;
}

/** Field for a part of the texts in a column. @param {{ term: string, name: string }} properties */
function Search({ term, name }) {
  const condition = conditionOn(where.value, term);
  const change = (/** @type {Event} */ event) => {
    const text = /** @type {HTMLInputElement} */ (event.target).value.trim();
    set(term, text && /^[^"]*[*|]/.test(text) ? text : text && `*${quoted(text)}*`, true);
  };
  return html`<div class="range"><input aria-label=${`${name} contains`} placeholder="contains" ref=${shows(condition.replace(/^\*"?(.*?)"?\*$/, "$1"))} onChange=${change} /></div>`;
}

/** @param {{ term: string, name: string, bars: Extract<Histogram["bars"], { of: "categories" }> }} properties */
function Categories({ term, name, bars: { names, terms, all, selected, others } }) {
  const condition = conditionOn(where.value, term);
  const chosen = split(condition, "|");
  const highest = Math.max(1, ...all);
  const one = (/** @type {string} */ category, /** @type {number} */ place) => {
    const text = terms[place] ?? "";
    const change = () => set(term, toggled(condition, text), true);
    return html`<li><button aria-pressed=${chosen.includes(text)} onClick=${change} class=${chosen.length > 0 && !chosen.includes(text) ? "out" : ""}>
      <span>${category || "empty text"}</span>
      <span class="number">${count(selected[place] ?? 0)}<span class="hidden"> of ${count(all[place] ?? 0)} rows</span></span>
      <i style=${{ width: `${((all[place] ?? 0) / highest) * 100}%` }}></i>
      <b style=${{ width: `${((selected[place] ?? 0) / highest) * 100}%` }}></b>
    </button></li>`;
  };
  return html`<div><ul class="categories">${names.map(one)}</ul>
    ${others > 0 && html`<small>and ${count(others)} other texts</small> ${h(Search, { term, name })}`}</div>`;
}

/** @param {{ histogram: Histogram }} properties */
function Column({ histogram: { name, term, bars, missing } }) {
  const condition = conditionOn(where.value, term);
  return html`<section aria-label=${name}>
    <h2>${name} ${condition && html`<button class="clear" aria-label=${`Remove the condition on ${name}`} onClick=${() => set(term, "", true)}>×</button>`}</h2>
    ${bars.of === "numbers" && h(Numbers, { term, name, bars })}
    ${bars.of === "categories" && h(Categories, { term, name, bars })}
    ${bars.of === "texts" && h(Search, { term, name })}
    ${bars.of === "empty" && html`<small>no numbers</small>`}
    ${bars.of === "failed" && html`<small>${bars.why}</small>`}
    ${missing[0] > 0 && html`<small>${count(missing[1])} of ${count(missing[0])} rows without a value</small>`}
  </section>`;
}

export function Histograms() {
  return html`<details class="histograms" open=${innerWidth > 768}>
    <summary>Filters</summary>
    ${found.value.map((histogram) => h(Column, { key: histogram.name, histogram }))}
  </details>`;
}
