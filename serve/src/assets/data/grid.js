// Images of the selected rows.

import { count, h, html } from "../ui.js";
import { Mark, range } from "./marks.js";
import { attach, captioned, choose, inView, layout, scrolledHeight } from "./scroll.js";
import { at, image, table, total } from "./state.js";
import { verdictOn } from "./verdicts.js";
import { loaded, rowAt, thumbnailAt } from "./windows.js";

/** Largest number of characters of a text. Keys often differ at their ends only. */
const LONGEST = 18;

/** @param {{ position: number, captions: number[], selected: { from: number, to: number } }} properties */
function Cell({ position, captions, selected }) {
  const row = rowAt(position);
  const picture = thumbnailAt(position);
  const texts = captions.map((place) => {
    const cell = row?.cells[place] ?? null;
    const text = cell === null ? "–" : Array.isArray(cell) ? cell[0] : cell;
    return text.length > LONGEST ? `…${text.slice(1 - LONGEST)}` : text;
  });
  const verdict = verdictOn(row);
  const chosen = position >= selected.from && position <= selected.to;
  return html`<div class=${`cell ${verdict?.verdict ?? ""} ${position === at.value ? "current" : ""}`} role="option" id=${`row-${position}`} aria-selected=${chosen}
      aria-posinset=${position + 1} aria-setsize=${total.value} onClick=${(/** @type {MouseEvent} */ event) => choose(position, event.shiftKey)}>
    <div class="picture">
      ${picture && html`<img src=${picture} alt="" decoding="async" draggable=${false} />`}
      ${picture === null && html`<span>not an image</span>`}
      ${picture === "" && html`<span>no image</span>`}
      ${verdict && h(Mark, { row })}
    </div>
    <div class="caption">${row ? texts.map((text) => html`<span>${text}</span>`) : html`<span>row ${count(position + 1)}</span>`}</div>
  </div>`;
}

export function Grid() {
  loaded.value;
  const { columns, rowHeight } = layout.value;
  const { from, to, offset } = inView.value;
  const [captions, selected] = [captioned.value, range()];
  const positions = Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
  const isInView = at.value >= from && at.value < to;
  return html`<div class="scroller" ref=${attach} role="listbox" aria-multiselectable="true" tabindex="0" aria-label=${`${image.value} of ${table.address.split("/").pop()}`}
      aria-activedescendant=${isInView ? `row-${at.value}` : undefined}>
    <div class="spacer" role="presentation" style=${{ height: `${scrolledHeight()}px` }}>
      <div class="cells-in-view" role="presentation"
          style=${{ transform: `translateY(${offset}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight}px` }}>
        ${positions.map((position) => h(Cell, { key: position, position, captions, selected }))}
      </div>
    </div>
  </div>`;
}
