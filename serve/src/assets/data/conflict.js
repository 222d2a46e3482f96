// Verdicts that another program wrote in the meantime.

import { html } from "../ui.js";
import { conflicts, file, resolve } from "./verdicts.js";

/** Largest number of rows that are listed. */
const MOST = 20;

/** @param {import("./table.js").Line | null} line */
const text = (line) => (line ? `${line.verdict}: ${line.reason} (${line.author}, ${line.time})` : "no verdict");

/** Opens or closes the dialog as the state has it. @param {HTMLDialogElement | null} dialog */
function attach(dialog) {
  if (!dialog) return;
  if (conflicts.value && !dialog.open) dialog.showModal();
  if (!conflicts.value && dialog.open) dialog.close();
}

export function ConflictDialog() {
  const conflict = conflicts.value;
  const mine = (/** @type {string} */ key) => conflict?.pending.find((change) => change.key === key)?.new;
  return html`<dialog class="conflict" aria-label="Conflict" ref=${(/** @type {HTMLDialogElement | null} */ dialog) => attach(dialog)}
      onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); resolve(false); }}>
    ${conflict && html`<h2>Another program changed ${file.value}</h2>
      <p>Nothing was written, because the file has other verdicts than this page.</p>
      ${conflict.found.slice(0, MOST).map(({ key, found }) => html`<h3>${key}</h3>
        <dl><dt>in the file</dt><dd>${text(found)}</dd><dt>yours</dt><dd>${mine(key) ? `${mine(key)?.verdict}: ${mine(key)?.reason}` : "no verdict"}</dd></dl>`)}
      ${conflict.found.length > MOST && html`<p class="note">and ${conflict.found.length - MOST} more</p>`}
      <p class="buttons"><button onClick=${() => resolve(false)}>Keep the file</button>
        <button onClick=${() => resolve(true)}>Write mine</button></p>`}
  </dialog>`;
}
