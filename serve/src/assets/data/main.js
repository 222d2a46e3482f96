// Page of a table: grid or table of the selected rows, histograms, and one row alone.

import { effect, untracked } from "../vendor/signals-core.mjs";
import { h, html, render } from "../ui.js";
import { ConflictDialog } from "./conflict.js";
import { Detail } from "./detail.js";
import { Grid } from "./grid.js";
import { Histograms, update } from "./histograms.js";
import { Impact } from "./impact.js";
import { press } from "./keys.js";
import { Rows } from "./rows.js";
import { Scatter } from "./scatter.js";
import { load, reveal } from "./scroll.js";
import { at, image, images, open, place, restore, sort, table, total, view, where } from "./state.js";
import { Tools } from "./tools.js";
import { refresh, written } from "./verdicts.js";
import { need, select } from "./windows.js";

/** The selected rows as images, or else as a table. */
function gallery() {
  const isGrid = view.value !== "table" && images.length > 0;
  return isGrid ? h(Grid, { key: `grid ${view.value}` }) : h(Rows, { key: `table ${view.value}` });
}

function Page() {
  return html`<div class=${table.key ? "data with-verdicts" : "data"}>
    ${h(Tools, {})}
    ${table.key && h(Impact, {})}
    <div class="columns">
      ${h(Histograms, {})}
      ${view.value === "scatter" ? html`<div class="beside-plot">${h(Scatter, {})}${gallery()}</div>` : gallery()}
    </div>
    ${h(Detail, {})}
    ${h(ConflictDialog, {})}
  </div>`;
}

/** Milliseconds between a verdict and the histograms with it. */
const REST = 400;
let timer = 0;

/** Conditions of the histograms on the page. @type {string | null} */
let shown = null;

// The rows come first, and the histograms after them.
effect(() => {
  const conditions = where.value;
  sort.value;
  untracked(() => select().then(reveal)).then(() => {
    if (shown === conditions || where.value !== conditions) return;
    shown = conditions;
    update();
  });
});
effect(() => {
  image.value;
  view.value;
  total.value;
  untracked(() => requestAnimationFrame(load));
});
// Filters show new verdicts after a moment.
effect(() => {
  written.value;
  untracked(() => {
    if (written.value <= 1) return;
    timer ||= setTimeout(() => {
      timer = 0;
      update();
    }, REST);
  });
});
refresh();
place.replaceChildren();
effect(() => render(h(Page, {}), place));
addEventListener("keydown", press);
addEventListener("popstate", () => {
  restore();
  reveal();
});
effect(() => {
  const position = at.value;
  if (open.value) untracked(() => need(Math.max(0, position - 1), Math.min(position + 2, total.value ?? 0)));
});
