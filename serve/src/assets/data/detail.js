// The current row alone: its whole images and all of its values.

import { count, h, html } from "../ui.js";
import { canJudge, Mark, Marks } from "./marks.js";
import { go, show } from "./scroll.js";
import { judged } from "./histograms.js";
import { imageAddress } from "./server.js";
import { at, failure, image, images, open, readable, table, total, view } from "./state.js";
import { verdictOn } from "./verdicts.js";
import { loaded, rowAt, thumbnailAt } from "./windows.js";

/** Opens or closes the dialog as the state has it. @param {HTMLDialogElement | null} dialog */
function attach(dialog) {
  if (!dialog) return;
  if (open.value && !dialog.open) {
    dialog.showModal();
    // Keys act on the row, not on the first button.
    dialog.focus();
  }
  if (!open.value && dialog.open) dialog.close();
}

/** Thumbnail of the row before or after. @param {{ position: number }} properties */
function Neighbour({ position }) {
  const picture = view.value !== "table" ? thumbnailAt(position) : "";
  if (position < 0 || position > (total.value ?? 0) - 1) return html`<div></div>`;
  return html`<div class="neighbour" aria-hidden="true">${picture && html`<img src=${picture} alt="" />`}${h(Mark, { row: rowAt(position) })}</div>`;
}

export function Detail() {
  loaded.value;
  const row = open.value ? rowAt(at.value) : undefined;
  const last = (total.value ?? 0) - 1;
  const address = row && image.value ? imageAddress(image.value, row.row) : "";
  const values = readable.map(({ name }, place) => {
    // The verdict may be newer than the row.
    const cell = name === "verdict" && table.key ? (verdictOn(row)?.verdict ?? "none") : (row?.cells[place] ?? null);
    return html`<dt>${name}</dt><dd>${cell === null ? "–" : Array.isArray(cell) ? cell[1] : cell}</dd>`;
  });
  const closed = () => open.value && show(false);
  return html`<dialog class="detail" tabindex="-1" ref=${(/** @type {HTMLDialogElement | null} */ dialog) => attach(dialog)} onClose=${closed} aria-label="Row">
    ${open.value && html`<nav>
      <button onClick=${() => go(at.value - 1)} disabled=${at.value === 0}>← previous</button>
      <span role="status">row ${count(at.value + 1)} of ${count(last + 1)}${judged.value}</span>
      <button onClick=${() => go(at.value + 1)} disabled=${at.value >= last}>next →</button>
      <button class="close" onClick=${() => show(false)}>Close</button>
    </nav>
    ${canJudge && h(Marks, { name: "reason" })}
    ${failure.value && html`<p class="wrong" role="alert">${failure.value}</p>`}
    <div class="neighbours">${images.length > 0 && h(Neighbour, { position: at.value - 1 })}
    ${address && html`<a href=${address} target="_blank"><img src=${address} alt=${`${image.value} of row ${(row?.row ?? 0) + 1}`} /></a>`}
    ${images.length > 0 && h(Neighbour, { position: at.value + 1 })}</div>
    ${row ? html`<dl>${values}</dl>` : html`<p>Loading…</p>`}`}
  </dialog>`;
}
