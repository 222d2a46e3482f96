// Selected rows as a table.

import { h, html } from "../ui.js";
import { Mark, range } from "./marks.js";
import { attach, choose, inView, layout, scrolledHeight } from "./scroll.js";
import { imageAddress } from "./server.js";
import { at, readable, remember, sort, table, total } from "./state.js";
import { loaded, rowAt } from "./windows.js";

/** @typedef {import("./table.js").Column} Column */

/** Smallest and largest width of a column, in characters. */
const [NARROW, WIDE] = [9, 30];

/** Width of a column. @param {Column} column */
function width({ name, type, shown }) {
  if (shown === "image" || shown === "unread") return "6rem";
  const title = Math.max(NARROW, Math.min(WIDE, name.length + type.length + 4));
  return shown === "text" ? `minmax(${Math.max(title, 2 * NARROW)}ch, 3fr)` : `minmax(${title}ch, 1fr)`;
}

const columns = table.columns.map(width).join(" ");

/** Sorts by a column: ascending first, then descending. @param {string} column */
function sortBy(column) {
  sort.value = sort.value === column ? `-${column}` : column;
  at.value = 0;
  remember(true);
}

/** @param {{ column: Column }} properties */
function Head({ column: { name, type, shown } }) {
  const order = sort.value === name ? "ascending" : sort.value === `-${name}` ? "descending" : undefined;
  const title = shown === "number" || shown === "text"
    ? html`<button onClick=${() => sortBy(name)}>${name}${order && html`<span aria-hidden="true">${order === "ascending" ? " ↑" : " ↓"}</span>`}</button>`
    : html`<span>${name}</span>`;
  return html`<div role="columnheader" class=${shown} aria-sort=${order}>${title} <small>${type}</small></div>`;
}

/** @param {{ position: number }} properties */
function Line({ position }) {
  const { from, to } = range();
  const row = rowAt(position);
  const cell = (/** @type {Column} */ column) => {
    if (!row) return html`<div role="cell"></div>`;
    if (column.shown === "image") {
      const address = imageAddress(column.name, row.row);
      return html`<div role="cell"><img src=${address} alt=${`${column.name} of row ${row.row + 1}`} loading="lazy" decoding="async" /></div>`;
    }
    if (column.name === "verdict" && table.key) return html`<div role="cell">${h(Mark, { row })}</div>`;
    const value = row.cells[readable.indexOf(column)];
    if (value === undefined) return html`<div role="cell"><small>…</small></div>`;
    const [text, exact] = Array.isArray(value) ? value : [value ?? "–", value ?? ""];
    return html`<div role="cell" class=${column.shown} title=${exact}>${text}</div>`;
  };
  return html`<div role="row" class=${`line ${position >= from && position <= to ? "selected" : ""}`} id=${`row-${position}`} aria-rowindex=${position + 2} aria-current=${position === at.value ? "true" : undefined}
      onClick=${(/** @type {MouseEvent} */ event) => choose(position, event.shiftKey)} style=${{ gridTemplateColumns: columns }}>${table.columns.map(cell)}</div>`;
}

export function Rows() {
  loaded.value;
  const { from, to, offset } = inView.value;
  const { rowHeight } = layout.value;
  const positions = Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
  return html`<div class="scroller" ref=${attach} role="table" tabindex="0" aria-label="Rows" aria-rowcount=${(total.value ?? 0) + 1}>
    <div role="rowgroup" class="head"><div role="row" class="line" aria-rowindex="1" style=${{ gridTemplateColumns: columns }}>
      ${table.columns.map((column) => h(Head, { column }))}
    </div></div>
    <div role="rowgroup" class="spacer" style=${{ height: `${scrolledHeight()}px` }}>
      <div class="lines-in-view" role="presentation" style=${{ transform: `translateY(${offset}px)`, gridAutoRows: `${rowHeight}px` }}>
        ${positions.map((position) => h(Line, { key: position, position }))}
      </div>
    </div>
  </div>`;
}
