// Field for conditions, order, and views.

import { count, h, html } from "../ui.js";
import { characters, KEYS, NAMES, useCharacters } from "./keys.js";
import { at, failure, image, images, open, readable, VIEWS, remember, sort, table, total, view, where } from "./state.js";
import { canJudge, Marks } from "./marks.js";
import { Others } from "./others.js";
import { problem } from "./windows.js";

/** Changes the selection. @param {() => void} act */
function change(act) {
  act();
  at.value = 0;
  remember(true);
}

/** @param {SubmitEvent} event */
function submit(event) {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (document.getElementById("where"));
  change(() => (where.value = field.value.trim()));
}

/** Value of the field in which an event happened. @param {Event} event */
const chosen = (event) => /** @type {HTMLSelectElement} */ (event.target).value;

function Views() {
  const button = (/** @type {string} */ name) =>
    html`<button aria-pressed=${view.value === name} onClick=${() => { view.value = name; remember(true); }}>${name}</button>`;
  return html`<span role="group" aria-label="View" class="buttons">${VIEWS.map(button)}</span>`;
}

function Order() {
  const column = sort.value.replace(/^-/, "");
  const descending = sort.value.startsWith("-");
  return html`<span class="order"><label for="sort">Sort by</label>
    <select id="sort" onChange=${(/** @type {Event} */ event) => change(() => (sort.value = chosen(event)))}>
      <option value="" selected=${column === ""}>order of the table</option>
      ${readable.map(({ name }) => html`<option value=${name} selected=${column === name}>${name}</option>`)}
    </select>
    ${column && html`<button onClick=${() => change(() => (sort.value = descending ? column : `-${column}`))}>${descending ? "largest first ↓" : "smallest first ↑"}</button>`}
  </span>`;
}

function Images() {
  return html`<span><label for="image">Images</label>
    <select id="image" onChange=${(/** @type {Event} */ event) => { image.value = chosen(event); remember(true); }}>
      ${images.map((name) => html`<option value=${name} selected=${image.value === name}>${name}</option>`)}
    </select></span>`;
}

/** Number of selected rows. */
function Status() {
  const rows = total.value;
  const text = rows === null ? "Loading…" : rows === 0 ? "No row satisfies the conditions." : `${count(rows)} of ${count(table.rows)} rows`;
  return html`<span role="status" class="note">${text}</span>`;
}

/** Reasons why the selection or values of it cannot be shown. */
function Problems() {
  return html`<div>
    ${failure.value && html`<p class="wrong" role="alert">${failure.value}</p>`}
    ${problem.value && html`<p class="warn" role="alert">${problem.value}</p>`}
  </div>`;
}

function Help() {
  const key = (/** @type {string} */ name) => html`<kbd>${NAMES[name] ?? name}</kbd> `;
  return html`<details class="keys"><summary>Keys</summary>
    <div><label><input type="checkbox" checked=${characters.value} onChange=${(/** @type {Event} */ event) => useCharacters(/** @type {HTMLInputElement} */ (event.target).checked)} /> single characters are keys</label>
    <p class="note">With Shift, the arrows select several rows.</p>
    <dl>${KEYS.map(({ keys, says }) => html`<dt>${keys.map(key)}</dt><dd>${says}</dd>`)}</dl></div></details>`;
}

export function Tools() {
  return html`<div class="tools">
    <form class="filter" role="search" onSubmit=${submit}>
      <label for="where">Rows where</label>
      <input id="where" value=${where.value} placeholder="psnr:..20, split:train" autocomplete="off" spellcheck=${false} />
      <button>Show</button>
      ${where.value && html`<button type="button" onClick=${() => change(() => (where.value = ""))}>All rows</button>`}
    </form>
    <div class="filter">
      ${VIEWS.length > 1 && Views()} ${Order()} ${images.length > 1 && view.value !== "table" && Images()}
      ${h(Others, {})} ${Status()} ${Help()}
    </div>
    ${canJudge && !open.value && h(Marks, { name: "reason" })}
    ${Problems()}
  </div>`;
}
