// Work that the verdicts cause in the next run, and their difference to the last commit.

import { batch, effect, signal, untracked } from "../vendor/signals-core.mjs";
import { count, html } from "../ui.js";
import { POST, explained, request } from "./server.js";
import { table } from "./state.js";
import { file, written } from "./verdicts.js";

/** Milliseconds between a verdict and the request for its work, and between requests without one. */
const [REST, POLL] = [400, 10_000];
/** Largest number of stages and verdicts that are listed. */
const MOST = 100;

const next = signal(/** @type {import("./table.js").NextRun | null} */ (null));
const since = signal(/** @type {import("./table.js").SinceCommit | null} */ (null));
/** True until the work after the latest verdict is known. */
const counting = signal(false);
/** Reason why the work is not known. */
const unknown = signal("");
let timer = 0;
let requested = 0;

/** Asks for the work. @param {boolean} enumerate true to run stages that only list rows */
async function ask(enumerate) {
  const number = ++requested;
  const [work, changes] = await Promise.all([request("/next-run", enumerate && table.writes ? POST : {}), request("/verdicts/since-commit", {})]);
  const [nextRun, sinceCommit] = [await work.json(), await changes.json()];
  if (number === requested) [next.value, since.value, counting.value, unknown.value] = [nextRun, sinceCommit, false, ""];
}

effect(() => {
  if (written.value === 0) return;
  untracked(() => {
    counting.value = true;
    timer ||= setTimeout(() => {
      timer = 0;
      ask(true).catch(fail);
    }, REST);
  });
});
// A run may have begun or ended.
setInterval(() => written.value > 0 && document.visibilityState === "visible" && ask(false).catch(fail), POLL);

/** @param {unknown} error */
function fail(error) {
  batch(() => {
    counting.value = false;
    unknown.value = explained(error);
  });
}

/** @param {import("./table.js").Line | null} line @param {string} sign */
const line = (line, sign) => line && html`<div class=${sign === "+" ? "added" : "removed"}>${sign} ${line.key}, ${line.verdict}, ${line.reason}, ${line.author}, ${line.time}</div>`;

export function Impact() {
  if (unknown.value) return html`<aside class="impact" aria-label="Next run"><p class="wrong" role="alert">${unknown.value}</p></aside>`;
  if (!next.value || !since.value) return html`<aside class="impact" aria-label="Next run"></aside>`;
  const { sentence, stages } = next.value;
  const { committed, changes } = since.value;
  const verdicts = `${count(changes.length)} ${changes.length === 1 ? "verdict" : "verdicts"}`;
  const rows = stages.filter((stage) => stage.rows).map((stage) => `${stage.stage} ${stage.rows} rows`);
  return html`<aside class="impact" aria-label="Next run">
    <p aria-live="polite"><strong>${verdicts} ${committed ? "since the last commit" : "in the file"}</strong> → ${rows.slice(0, 3).join(", ")}${rows.length > 0 && "; "}${sentence} ${counting.value && html`<small>counting…</small>`}</p>
    <details><summary>Stages and verdicts</summary>
      <p>${committed ? html`Review the verdicts and commit them: <code>git diff ${file.value}</code>` : html`Keep the verdicts in git: <code>${file.value}</code>`}</p>
      <div class="beside">
        <ul>${stages.slice(0, MOST).map(({ stage, rows }) => html`<li>${stage} ${rows && html`<small>${rows} rows</small>`}</li>`)}</ul>
        <div class="diff">${changes.slice(0, MOST).map((change) => [line(change.seen, "−"), line(change.new, "+")])}
          ${changes.length > MOST && html`<small>and ${count(changes.length - MOST)} more</small>`}</div>
      </div>
    </details>
  </aside>`;
}
