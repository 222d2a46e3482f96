// Shows the states of a run's stages as they change.

import { follow } from "./follow.js";

/**
 * @typedef {{ state?: string, duration?: string, progress?: string }} StageChange
 */

const stages = /** @type {HTMLElement} */ (document.getElementById("stages"));
const state = /** @type {HTMLElement} */ (document.getElementById("run-state"));
const rows = new Map(
  [...stages.querySelectorAll("tr[data-stage]")].map((row) => [row.getAttribute("data-stage"), row]),
);

/** Milliseconds for which a page with stages is shown before it is loaded again for more of them. */
const SHOWN = 2000;
/** @type {number | undefined} */
let loads;

/** Loads the page again: a run that has just begun, or one of selected stages, knows its stages only from their events. */
function addRows() {
  const wait = rows.size ? Math.max(SHOWN - performance.now(), 0) : 0;
  loads ??= setTimeout(() => location.reload(), wait);
}

/**
 * Shows a change in the row of a stage, and in its box of the graph.
 * @param {string} stage
 * @param {StageChange} change
 */
function show(stage, change) {
  const row = rows.get(stage);
  if (!row) return addRows();
  const set = (/** @type {string} */ selector, /** @type {string | undefined} */ text) => {
    const cell = row.querySelector(selector);
    if (cell && text !== undefined) cell.textContent = text;
  };
  set(".state", change.state);
  set(".duration", change.duration);
  set(".progress", change.progress);
  if (change.state === undefined) return;
  const name = change.state.replaceAll(" ", "-");
  const label = row.querySelector(".state");
  if (label) label.className = `state ${name}`;
  // The box of a stage with several instances shows the state of all of them, which is known when the run has ended.
  const box = row.id === stage ? stages.querySelector(`.graph a[href="#${CSS.escape(row.id)}"]`) : null;
  box?.querySelector("rect")?.setAttribute("class", name);
  const text = box?.querySelector("text.state");
  if (text) text.textContent = change.duration ? `${change.state}, ${change.duration}` : change.state;
}

follow(`/run/${stages.dataset.run}`, stages.dataset.at ?? "0", ({ name, changes }) => {
  for (const [stage, change] of Object.entries(changes)) show(stage, change);
  if (name === "end") {
    state.textContent = "ended";
    // The page of a run that has ended shows its result and its duration.
    location.reload();
  }
});
