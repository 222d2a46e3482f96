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
