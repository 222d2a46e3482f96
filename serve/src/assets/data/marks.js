// Verdicts on the current row, or on a range of rows.

import { effect, signal, untracked } from "../vendor/signals-core.mjs";
import { count, html } from "../ui.js";
import { go } from "./scroll.js";
import { anchor, at, failure, open, readable, table, total } from "./state.js";
import { back, journal, judge, outcome, reasons, returned, shown, unsaved, verdictOn } from "./verdicts.js";
import { loaded, positionOf, rowAt } from "./windows.js";

/** Largest number of rows that get a verdict at once. */
const MOST = 1000;
/** Number of reasons that have a key of their own. */
const KEYED = 9;

/** Text in the field for the reason. */
const reason = signal("");

/** True if the page can change verdicts. */
export const canJudge = table.key !== null && table.writes;

/** First and last position of the current range. */
export function range() {
  const start = anchor.value ?? at.value;
  return { from: Math.min(start, at.value), to: Math.max(start, at.value) };
}

/** Position of the column `reason`, which proposes the reason of each row. */
const REASON = readable.findIndex(({ name }) => name === "reason");
/** Reason that was written last. */
let last = "";
/** Reasons that were written on this page. */
const written = signal(/** @type {string[]} */ ([]));

/** Reasons with keys. Those in the file are of little use for a table that has a reason for each row. */
function keyed() {
  return [...new Set([...(REASON < 0 ? reasons.value : []), ...written.value])].slice(0, KEYED);
}

/** Reason that the table gives for a row. @param {number} position */
function reasonOf(position) {
  const cell = REASON < 0 ? null : rowAt(position)?.cells[REASON];
  return typeof cell === "string" ? cell : "";
}

/** Reason of an exclusion without another one. @param {number} position */
function proposed(position) {
  return reasonOf(position) || last || reasons.value[0] || "";
}

/** Gives the current rows a verdict. @param {"exclude" | "include"} verdict @param {string} [given] */
export function mark(verdict, given) {
  if (!canJudge) return;
  const { from, to } = range();
  if (to - from >= MOST) {
    failure.value = `${count(to - from + 1)} rows are selected, and at most ${count(MOST)} get a verdict at once. Use \`callsheet curate --sql\` for more.`;
    return;
  }
  const typed = given ?? reason.value.trim();
  /** @type {Map<string, string>} */
  const rows = new Map();
  for (let position = from; position <= to; position++) {
    const row = rowAt(position);
    if (row?.key === undefined) {
      failure.value = row ? "This row has no key for verdicts." : "The rows are still being loaded.";
      return;
    }
    rows.set(row.key, typed || (verdict === "include" ? "reviewed" : proposed(position)));
  }
  if ([...rows.values()].includes("")) {
    failure.value = "An exclusion needs a reason. Write it, then press Enter.";
    document.getElementById("reason")?.focus();
    return;
  }
  failure.value = "";
  if (typed && verdict === "exclude") {
    last = typed;
    written.value = [...new Set([...written.value, typed])];
  }
  reason.value = "";
  judge([...rows].map(([key, reason]) => ({ key, reason })), verdict);
  if (open.value && at.value + 1 < (total.value ?? 0)) go(at.value + 1);
}

/** Excludes the current rows for the reason with this number. @param {number} number */
export function markWith(number) {
  const text = keyed()[number];
  if (text) mark("exclude", text);
}

/** Verdict on a row as a label. @param {{ row: import("./table.js").Row | undefined }} properties */
export function Mark({ row }) {
  const line = verdictOn(row);
  return html`<span class=${`mark ${line?.verdict ?? ""}`} title=${line?.reason ?? ""}>${line && `${line.verdict}d`}</span>`;
}

/** Buttons and reasons. @param {{ name: string }} properties name of the field, of which one is on the page */
export function Marks({ name }) {
  loaded.value;
  shown.value;
  const { from, to } = range();
  const rows = to > from ? `${count(to - from + 1)} rows` : "";
  const line = to > from ? null : verdictOn(rowAt(at.value));
  const state = unsaved.value > 0 ? "Saving…" : outcome.value === "saved" ? "Saved" : outcome.value === "failed" ? "Not saved" : "";
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.key === "Enter") mark("exclude");
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      /** @type {HTMLElement} */ (event.target).blur();
    }
  };
  return html`<div class="marks" role="group" aria-label="Verdict">
    <button onClick=${() => mark("exclude")}>Exclude ${rows} <kbd>x</kbd></button>
    <button onClick=${() => mark("include")}>Include ${rows} <kbd>i</kbd></button>
    <input id=${name} aria-label="Reason" value=${reason.value} placeholder=${proposed(at.value) || "reason"}
      onInput=${(/** @type {Event} */ event) => (reason.value = /** @type {HTMLInputElement} */ (event.target).value)} onKeyDown=${press} />
    <button onClick=${() => back("undo")} disabled=${journal.value.undo.length === 0}>Undo <kbd>u</kbd></button>
    <button onClick=${() => back("redo")} disabled=${journal.value.redo.length === 0}>Redo <kbd>U</kbd></button>
    <span role="status" class="note">${state}</span>
    ${keyed().length > 0 && html`<div class="reasons">${keyed().map((text, number) =>
      html`<button title=${`Exclude: ${text}`} onClick=${() => markWith(number)}><kbd>${number + 1}</kbd> <span>${text}</span></button>`)}</div>`}
    ${line && html`<p class="note">${line.verdict}d: ${line.reason}${line.author && ` (${line.author}, ${line.time})`}</p>`}
  </div>`;
}

// The row whose verdict was undone or repeated is shown, so that the next key judges it.
effect(() => {
  const [key] = returned.value;
  const position = key === undefined ? null : untracked(() => positionOf(key));
  if (position !== null) untracked(() => go(position));
});
