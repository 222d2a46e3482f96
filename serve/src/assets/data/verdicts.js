// Verdicts on rows: shown at once, written in order, and undone.

import { batch, signal } from "../vendor/signals-core.mjs";
import { POST, explained, request } from "./server.js";
import { failure, table } from "./state.js";

/** @typedef {import("./table.js").Line} Line */
/** @typedef {import("./table.js").Change} Change */
/** @typedef {import("./table.js").Conflict} Conflict */
/** @typedef {{ verdict: Line["verdict"], reason: string, author?: string, time?: string } | null} NewLine */
/** @typedef {{ key: string, seen?: Line | null, new: NewLine }} Pending */
/** @typedef {{ pending: Pending[], from: "new" | "undo" | "redo", changes?: Change[] }} Step */

/** Verdicts as the page shows them, by key. */
export const shown = signal(/** @type {ReadonlyMap<string, NewLine>} */ (new Map()));
/** File of the verdicts. */
export const file = signal("");
/** Reasons of exclusions, the most frequent first. */
export const reasons = signal(/** @type {string[]} */ ([]));
/** Number of verdicts that are not in the file yet. */
export const unsaved = signal(0);
/** Outcome of the latest write. */
export const outcome = signal(/** @type {"" | "saved" | "failed"} */ (""));
/** Verdicts that another program wrote in the meantime, and the ones that were to replace them. */
export const conflicts = signal(/** @type {{ found: Conflict[], pending: Pending[] } | null} */ (null));
/** Changes that can be undone and repeated; the latest one is the last. */
export const journal = signal(/** @type {{ undo: Change[][], redo: Change[][] }} */ ({ undo: [], redo: [] }));
/** Keys of the rows that were undone or repeated last. */
export const returned = signal(/** @type {string[]} */ ([]));
/** Counts changes of the file. */
export const written = signal(0);

/** Largest number of steps that can be undone, and of verdicts in them. */
const [STEPS, VERDICTS] = [200, 5000];

/** Verdicts in the file. @type {Map<string, Line>} */
let inFile = new Map();
/** Changes to write, in their order. @type {Step[]} */
const queue = [];
/** Steps to undo or repeat after the queue. @type {("undo" | "redo")[]} */
const waiting = [];
let isWriting = false;
/** Number of changes that this page has written. */
let accepted = 0;
const others = new BroadcastChannel("verdicts");

/** Verdict on a row as the page shows it. @param {import("./table.js").Row | undefined} row */
export function verdictOn(row) {
  return row?.key === undefined ? null : (shown.value.get(row.key) ?? null);
}

/** Reads all verdicts. @returns {Promise<void>} */
export async function refresh() {
  if (!table.key) return;
  const before = accepted;
  try {
    /** @type {import("./table.js").Verdicts} */
    const found = await (await request("/verdicts", {})).json();
    // An answer from before the latest write does not have it.
    if (accepted !== before || queue.length > 0) return void setTimeout(refresh, 100);
    inFile = new Map(found.lines.map((line) => [line.key, line]));
    batch(() => {
      file.value = found.file;
      reasons.value = [...new Set([...found.reasons, ...reasons.value])];
      if (journal.value.undo.length + journal.value.redo.length === 0) journal.value = stored();
      project();
      written.value += 1;
    });
  } catch (error) {
    failure.value = explained(error);
  }
}

/** Shows the verdicts of the file, and those that will be written. */
function project() {
  /** @type {Map<string, NewLine>} */
  const all = new Map(inFile);
  for (const { pending } of queue) for (const change of pending) all.set(change.key, change.new);
  shown.value = all;
}

/** Gives rows a verdict. @param {{ key: string, reason: string }[]} rows @param {Line["verdict"]} verdict */
export function judge(rows, verdict) {
  const pending = rows.flatMap(({ key, reason }) => {
    const before = shown.value.get(key);
    return before?.verdict === verdict && before.reason === reason ? [] : [{ key, new: { verdict, reason } }];
  });
  enter({ pending, from: "new" });
}

/** Undoes or repeats the latest change, after those that are being written. @param {"undo" | "redo"} which */
export function back(which) {
  if (queue.length > 0) return void waiting.push(which);
  const { undo, redo } = journal.value;
  const changes = (which === "undo" ? undo : redo).at(-1);
  if (!changes) return;
  journal.value = which === "undo" ? { undo: undo.slice(0, -1), redo } : { undo, redo: redo.slice(0, -1) };
  const pending = changes.map((change) => which === "undo" ? { key: change.key, seen: change.new, new: change.seen } : change);
  enter({ pending, from: which, changes });
  returned.value = changes.map(({ key }) => key);
}

/** @param {Step} step */
function enter(step) {
  if (step.pending.length === 0) return;
  queue.push(step);
  batch(() => {
    unsaved.value += step.pending.length;
    project();
  });
  write();
}

/** Writes the changes one after another. A conflict stops them until it is resolved. */
async function write() {
  if (isWriting || conflicts.value) return;
  isWriting = true;
  for (let step = queue[0]; step && !conflicts.value; step = queue[0]) {
    const { pending } = step;
    const changes = pending.map((change) => ({ ...change, seen: change.seen === undefined ? (inFile.get(change.key) ?? null) : change.seen }));
    let failed = "";
    let found = null;
    try {
      const answer = await request("/verdicts", { ...POST, body: JSON.stringify({ changes }) });
      const body = await answer.json();
      if (answer.status === 409) found = body.conflicts;
      else accept(body.written, step);
    } catch (error) {
      failed = explained(error);
    }
    queue.shift();
    batch(() => {
      if (failed || found) giveBack(step);
      if (failed) failure.value = `Not saved. ${failed}`;
      if (found) conflicts.value = { found, pending };
      outcome.value = failed || found ? "failed" : "saved";
      unsaved.value -= pending.length;
      project();
    });
  }
  isWriting = false;
  const which = queue.length === 0 ? waiting.shift() : undefined;
  if (which) back(which);
}

/** Takes over what was written. @param {Change[]} changes @param {Step} step */
function accept(changes, { from, changes: repeated }) {
  accepted += 1;
  for (const change of changes) {
    if (change.new) inFile.set(change.key, change.new);
    else inFile.delete(change.key);
  }
  const { undo, redo } = journal.value;
  if (from === "undo") keep({ undo, redo: [...redo, repeated ?? []] });
  else keep({ undo: [...undo, changes], redo: from === "redo" ? redo : [] });
  written.value += 1;
  others.postMessage("");
}

/** Returns a step that was not written to the journal. @param {Step} step */
function giveBack({ from, changes }) {
  const { undo, redo } = journal.value;
  if (from === "undo" && changes) keep({ undo: [...undo, changes], redo });
  if (from === "redo" && changes) keep({ undo, redo: [...redo, changes] });
}

/** @param {{ undo: Change[][], redo: Change[][] }} steps */
function keep(steps) {
  let undo = steps.undo.slice(-STEPS);
  while (undo.length > 1 && undo.reduce((sum, changes) => sum + changes.length, 0) > VERDICTS) undo = undo.slice(1);
  journal.value = { undo, redo: steps.redo };
  try {
    sessionStorage.setItem(`verdicts of ${file.value}`, JSON.stringify(journal.value));
  } catch {
    // Without room in the browser, a reload forgets the steps.
  }
}

/** Steps from before a reload. @returns {{ undo: Change[][], redo: Change[][] }} */
function stored() {
  try {
    const steps = JSON.parse(sessionStorage.getItem(`verdicts of ${file.value}`) ?? "");
    return { undo: steps.undo ?? [], redo: steps.redo ?? [] };
  } catch {
    return { undo: [], redo: [] };
  }
}

/** Ends a conflict: the verdicts in the file stay, or the own ones replace them. @param {boolean} mine */
export async function resolve(mine) {
  const conflict = conflicts.value;
  if (!conflict) return;
  const found = new Map(conflict.found.map((line) => [line.key, line.found]));
  for (const [key, line] of found) {
    if (line) inFile.set(key, line);
    else inFile.delete(key);
  }
  if (mine) {
    const pending = conflict.pending.map(({ key, new: line }) => ({ key, new: line }));
    queue.unshift({ pending, from: "new" });
    unsaved.value += pending.length;
  }
  conflicts.value = null;
  project();
  await write();
  refresh();
}

// Another tab, an editor or git may have changed the file.
others.onmessage = refresh;
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
addEventListener("beforeunload", (event) => unsaved.value > 0 && event.preventDefault());
