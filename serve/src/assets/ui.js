// Markup of pages that change while they are shown.

import htm from "./vendor/htm.mjs";
import { h, render } from "./vendor/preact.mjs";

/**
 * Describes HTML. Own components are described with `h`, so that their properties are checked.
 * @type {(strings: TemplateStringsArray, ...values: unknown[]) => import("./vendor/preact.mjs").VNode}
 */
export const html = htm.bind(h);
export { h, render };

/**
 * Number with separators: `100,000`.
 * @param {number} value
 */
export function count(value) {
  return value.toLocaleString("en");
}

/**
 * Shows a value in a field when the value changes. Text that is being written stays, whatever else is drawn again.
 * @param {string} value
 */
export function shows(value) {
  return (/** @type {HTMLInputElement | null} */ field) => {
    if (!field || field.dataset.shown === value) return;
    field.dataset.shown = value;
    field.value = value;
  };
}
