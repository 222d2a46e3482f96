// Page of a table: grid or table of the selected rows, histograms, and one row alone.

import { effect, untracked } from "../vendor/signals-core.mjs";
import { h, html, render } from "../ui.js";
import { Detail } from "./detail.js";
import { Grid } from "./grid.js";
import { Histograms, update } from "./histograms.js";
import { press } from "./keys.js";
import { Rows } from "./rows.js";
import { load, reveal } from "./scroll.js";
import { image, place, restore, sort, total, view, where } from "./state.js";
import { Tools } from "./tools.js";
import { select } from "./windows.js";

function Page() {
  return html`<div class="data">
    ${h(Tools, {})}
    <div class="columns">
      ${h(Histograms, {})}
      ${view.value === "grid" ? h(Grid, { key: "grid" }) : h(Rows, { key: "table" })}
    </div>
    ${h(Detail, {})}
  </div>`;
}

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
place.replaceChildren();
effect(() => render(h(Page, {}), place));
addEventListener("keydown", press);
addEventListener("popstate", restore);
