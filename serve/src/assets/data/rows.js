// Selected rows as a table.

import { h, html } from "../ui.js";
import { Mark, range } from "./marks.js";
import { attach, choose, inView, layout, scrolledHeight } from "./scroll.js";
import { imageAddress } from "./server.js";
import { at, image, readable, reselect, sort, table, total } from "./state.js";
import { loaded, rowAt, thumbnailAt } from "./windows.js";

/** @typedef {import("./table.js").Column} Column */

/** Smallest and largest width of a column, in characters. */
const [NARROW, WIDE] = [9, 30];
/** Least width of a column of texts, in characters. */
const TEXT = 24;

/** Width of a column that is not text, in characters. */
const PICTURE = 12;

/** Least width of a column, in characters. @param {Column} column */
function least({ name, type, shown }) {
  if (shown === "image" || shown === "unread") return PICTURE;
  return Math.max(shown === "text" ? TEXT : NARROW, Math.min(WIDE, name.length + type.length + 4));
}

/** Parts of the rest of the width that columns get. */
const SHARE = { text: 3, number: 1, image: 0, unread: 0 };

const style = {
  gridTemplateColumns: table.columns.map((column) => `minmax(${least(column)}ch, ${SHARE[column.shown] || 0.001}fr)`).join(" "),
  // All rows are equally wide, so that their columns are below each other.
  minWidth: `calc(${table.columns.reduce((sum, column) => sum + least(column), 0)}ch + 1rem)`,
};

/** Sorts by a column: ascending first, then descending. @param {string} column */
function sortBy(column) {
  reselect({ sort: sort.value === column ? `-${column}` : column }, true);
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
      const small = column.name === image.value ? thumbnailAt(position) : undefined;
      const address = small || (column.name === image.value ? "" : imageAddress(column.name, row.row));
      if (!address) return html`<div role="cell">${small === null && html`<small>not an image</small>`}</div>`;
      return html`<div role="cell"><img src=${address} alt=${`${column.name} of row ${row.row + 1}`} loading="lazy" decoding="async" /></div>`;
    }
    if (column.name === "verdict" && table.key) return html`<div role="cell">${h(Mark, { row })}</div>`;
    const value = row.cells[readable.indexOf(column)];
    if (value === undefined) return html`<div role="cell"><small>…</small></div>`;
    const [text, exact] = Array.isArray(value) ? value : [value ?? "–", value ?? ""];
    return html`<div role="cell" class=${column.shown} title=${exact}>${text}</div>`;
  };
  return html`<div role="row" class=${`line ${position >= from && position <= to ? "selected" : ""}`} id=${`row-${position}`} aria-rowindex=${position + 2} aria-current=${position === at.value ? "true" : undefined}
      onClick=${(/** @type {MouseEvent} */ event) => choose(position, event.shiftKey)} style=${style}>${table.columns.map(cell)}</div>`;
}

export function Rows() {
  loaded.value;
  const { from, to, offset } = inView.value;
  const { rowHeight } = layout.value;
  const positions = Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
  return html`<div class="scroller" ref=${attach} role="table" tabindex="0" aria-label="Rows" aria-rowcount=${(total.value ?? 0) + 1}>
    <div role="rowgroup" class="head"><div role="row" class="line" aria-rowindex="1" style=${style}>
      ${table.columns.map((column) => h(Head, { column }))}
    </div></div>
    <div role="rowgroup" class="spacer" style=${{ height: `${scrolledHeight()}px`, minWidth: style.minWidth }}>
      <div class="lines-in-view" role="presentation" style=${{ transform: `translateY(${offset}px)`, gridAutoRows: `${rowHeight}px` }}>
        ${positions.map((position) => h(Line, { key: position, position }))}
      </div>
    </div>
  </div>`;
}
