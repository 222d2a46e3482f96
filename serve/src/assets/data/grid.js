// Images of the selected rows.

import { count, h, html } from "../ui.js";
import { attach, captioned, inView, layout, scrolledHeight, show } from "./scroll.js";
import { at, image, table, total } from "./state.js";
import { loaded, rowAt, thumbnailAt } from "./windows.js";

/** Largest number of characters of a text. Keys often differ at their ends only. */
const LONGEST = 22;

/** @param {{ position: number, captions: number[] }} properties */
function Cell({ position, captions }) {
  const row = rowAt(position);
  const picture = thumbnailAt(position);
  const texts = captions.map((place) => {
    const cell = row?.cells[place] ?? null;
    const text = cell === null ? "–" : Array.isArray(cell) ? cell[0] : cell;
    return text.length > LONGEST ? `…${text.slice(1 - LONGEST)}` : text;
  });
  const choose = () => {
    at.value = position;
    show(true);
  };
  return html`<div class="cell" role="option" id=${`row-${position}`} aria-selected=${position === at.value}
      aria-posinset=${position + 1} aria-setsize=${total.value} onClick=${choose}>
    <div class="picture">
      ${picture && html`<img src=${picture} alt="" decoding="async" draggable=${false} />`}
      ${picture === null && html`<span>not an image</span>`}
      ${picture === "" && html`<span>no image</span>`}
    </div>
    <div class="caption">${row ? texts.map((text) => html`<span>${text}</span>`) : html`<span>row ${count(position + 1)}</span>`}</div>
  </div>`;
}

export function Grid() {
  loaded.value;
  const { columns, rowHeight } = layout.value;
  const { from, to, offset } = inView.value;
  const captions = captioned.value;
  const positions = Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
  const isInView = at.value >= from && at.value < to;
  return html`<div class="scroller" ref=${attach} role="listbox" tabindex="0" aria-label=${`${image.value} of ${table.address.split("/").pop()}`}
      aria-activedescendant=${isInView ? `row-${at.value}` : undefined}>
    <div class="spacer" role="presentation" style=${{ height: `${scrolledHeight()}px` }}>
      <div class="cells-in-view" role="presentation"
          style=${{ transform: `translateY(${offset}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight}px` }}>
        ${positions.map((position) => h(Cell, { key: position, position, captions }))}
      </div>
    </div>
  </div>`;
}
