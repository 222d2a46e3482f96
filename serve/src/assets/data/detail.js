// The current row alone: its whole images and all of its values.

import { count, html } from "../ui.js";
import { go, show } from "./scroll.js";
import { imageAddress } from "./server.js";
import { at, image, open, readable, total } from "./state.js";
import { loaded, rowAt } from "./windows.js";

/** Opens or closes the dialog as the state has it. @param {HTMLDialogElement | null} dialog */
function attach(dialog) {
  if (!dialog) return;
  if (open.value && !dialog.open) dialog.showModal();
  if (!open.value && dialog.open) dialog.close();
}

export function Detail() {
  loaded.value;
  const row = open.value ? rowAt(at.value) : undefined;
  const last = (total.value ?? 0) - 1;
  const address = row && image.value ? imageAddress(image.value, row.row) : "";
  const values = readable.map(({ name }, place) => {
    const cell = row?.cells[place] ?? null;
    return html`<dt>${name}</dt><dd>${cell === null ? "–" : Array.isArray(cell) ? cell[1] : cell}</dd>`;
  });
  const closed = () => open.value && show(false);
  return html`<dialog class="detail" ref=${(/** @type {HTMLDialogElement | null} */ dialog) => attach(dialog)} onClose=${closed} aria-label="Row">
    ${open.value && html`<nav>
      <button onClick=${() => go(at.value - 1)} disabled=${at.value === 0}>← previous</button>
      <span role="status">row ${count(at.value + 1)} of ${count(last + 1)}</span>
      <button onClick=${() => go(at.value + 1)} disabled=${at.value >= last}>next →</button>
      <button class="close" onClick=${() => show(false)}>Close</button>
    </nav>
    ${address && html`<a href=${address} target="_blank"><img src=${address} alt=${`${image.value} of row ${(row?.row ?? 0) + 1}`} /></a>`}
    ${row ? html`<dl>${values}</dl>` : html`<p>Loading…</p>`}`}
  </dialog>`;
}
