// Columns of other tables, found by key.

import { signal } from "../vendor/signals-core.mjs";
import { html } from "../ui.js";
import { split } from "./conditions.js";
import { askOthers } from "./server.js";
import { table } from "./state.js";

/** Tables whose columns can be added; `null` until the server was asked. */
const others = signal(/** @type {import("./table.js").Other[] | null} */ (null));

const added = split(table.with, ",");

/** Opens the page with the columns of these tables. @param {string[]} terms */
function change(terms) {
  const words = new URLSearchParams(location.search);
  if (terms.length > 0) words.set("with", terms.join(","));
  else words.delete("with");
  words.delete("open");
  location.assign(`${location.pathname}?${words}`);
}

export function Others() {
  const load = () => {
    if (others.value) return;
    others.value = [];
    askOthers().then((found) => (others.value = found)).catch(() => (others.value = null));
  };
  const chosen = (/** @type {Event} */ event) => change([...added, /** @type {HTMLSelectElement} */ (event.target).value]);
  const left = (others.value ?? []).filter(({ term }) => !added.includes(term));
  return html`<span class="order"><label for="others">Columns of</label>
    <select id="others" onFocus=${load} onPointerDown=${load} onChange=${chosen}>
      <option value="">add a table</option>
      ${left.map(({ name, term, columns }) => html`<option value=${term} title=${columns.join(", ")}>${name}</option>`)}
    </select>
    ${added.map((term) => html`<button aria-label=${`Remove the columns of ${term}`} onClick=${() => change(added.filter((other) => other !== term))}>${term} ×</button>`)}
  </span>`;
}
