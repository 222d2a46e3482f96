// Field for conditions, order, and views.

import { count, h, html, shows } from "../ui.js";
import { tidy } from "./conditions.js";
import { characters, KEYS, NAMES, useCharacters } from "./keys.js";
import { failure, image, images, open, readable, remember, reselect, sort, table, total, view, VIEWS, where } from "./state.js";
import { canJudge, Marks } from "./marks.js";
import { Others } from "./others.js";
import { problem } from "./windows.js";

/** @param {SubmitEvent} event */
function submit(event) {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (document.getElementById("where"));
  reselect({ where: tidy(field.value) }, true);
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
    <select id="sort" onChange=${(/** @type {Event} */ event) => reselect({ sort: chosen(event) }, true)}>
      <option value="" selected=${column === ""}>order of the table</option>
      ${readable.map(({ name }) => html`<option value=${name} selected=${column === name}>${name}</option>`)}
    </select>
    ${column && html`<button onClick=${() => reselect({ sort: descending ? column : `-${column}` }, true)}>${descending ? "largest first ↓" : "smallest first ↑"}</button>`}
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
  const text = rows === null ? (failure.value ? "" : "Loading…") : rows === 0 ? "No row satisfies the conditions." : `${count(rows)} of ${count(table.rows)} rows`;
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
    <dl>${KEYS.map(({ keys, effect }) => html`<dt>${keys.map(key)}</dt><dd>${effect}</dd>`)}</dl></div></details>`;
}

export function Tools() {
  return html`<div class="tools">
    <form class="filter" role="search" onSubmit=${submit}>
      <label for="where">Rows where</label>
      <input id="where" ref=${shows(where.value)} placeholder="psnr:..20, split:train" autocomplete="off" spellcheck=${false} />
      <button>Show</button>
      ${where.value && html`<button type="button" onClick=${() => reselect({ where: "" }, true)}>All rows</button>`}
    </form>
    <div class="filter">
      ${VIEWS.length > 1 && Views()} ${Order()} ${images.length > 1 && view.value !== "table" && Images()}
      ${h(Others, {})} ${Status()} ${Help()}
    </div>
    ${canJudge && !open.value && h(Marks, { name: "reason" })}
    ${Problems()}
  </div>`;
}
