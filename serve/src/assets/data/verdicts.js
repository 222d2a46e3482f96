// Verdicts on rows: shown at once, written in order, and undone.

import { batch, signal } from "../vendor/signals-core.mjs";
import { POST, Refused, request } from "./server.js";
import { failure, readable, table } from "./state.js";

/** @typedef {import("./table.js").Line} Line */
/** @typedef {import("./table.js").Change} Change */
/** @typedef {import("./table.js").Conflict} Conflict */
/** @typedef {{ verdict: Line["verdict"], reason: string, author?: string, time?: string } | null} NewLine */
/** @typedef {{ key: string, seen?: Line | null, new: NewLine }} Wish */

/** Verdicts as the page shows them, by key. */
export const shown = signal(/** @type {ReadonlyMap<string, NewLine>} */ (new Map()));
/** File of the verdicts. */
export const file = signal("");
/** Reasons of exclusions, the most frequent first. */
export const reasons = signal(/** @type {string[]} */ ([]));
/** Number of verdicts that are not in the file yet. */
export const unsaved = signal(0);
/** Verdicts that another program wrote in the meantime, and the ones that were to replace them. */
export const conflicts = signal(/** @type {{ found: Conflict[], wishes: Wish[] } | null} */ (null));
/** Changes that can be undone and repeated; the latest one is the last. */
export const journal = signal(/** @type {{ undo: Change[][], redo: Change[][] }} */ ({ undo: [], redo: [] }));
/** Counts changes of the file. */
export const written = signal(0);

/** Verdicts in the file. @type {Map<string, Line>} */
let inFile = new Map();
/** Changes to write, in their order. @type {{ wishes: Wish[], into: "new" | "undo" | "redo" }[]} */
const queue = [];
let isWriting = false;
const others = new BroadcastChannel("verdicts");

/** Position of the key among the columns of numbers and texts. */
const keyAt = readable.findIndex((column) => column.name === table.key);

/** Key of a row for verdicts; `null` if it has none. @param {import("./table.js").Row | undefined} row */
export function keyOf(row) {
  const key = row?.cells[keyAt];
  return typeof key === "string" ? key : null;
}

/** Verdict on a row as the page shows it. @param {import("./table.js").Row | undefined} row */
export function verdictOn(row) {
  const key = keyOf(row);
  return key === null ? null : (shown.value.get(key) ?? null);
}

/** Reads all verdicts. */
export async function refresh() {
  if (!table.key) return;
  try {
    /** @type {import("./table.js").Verdicts} */
    const found = await (await request("/verdicts", {})).json();
    inFile = new Map(found.lines.map((line) => [line.key, line]));
    batch(() => {
      file.value = found.file;
      reasons.value = [...new Set([...found.reasons, ...reasons.value])];
      const stored = sessionStorage.getItem(`verdicts of ${found.file}`);
      if (stored && journal.value.undo.length + journal.value.redo.length === 0) journal.value = JSON.parse(stored);
      project();
      written.value += 1;
    });
  } catch (error) {
    failure.value = error instanceof Refused ? error.message : String(error);
  }
}

/** Shows the verdicts of the file, and those that will be written. */
function project() {
  /** @type {Map<string, NewLine>} */
  const all = new Map(inFile);
  for (const { wishes } of queue) for (const wish of wishes) all.set(wish.key, wish.new);
  shown.value = all;
}

/** Gives rows with these keys a verdict. @param {string[]} keys @param {Line["verdict"]} verdict @param {string} reason */
export function judge(keys, verdict, reason) {
  const differs = (/** @type {string} */ key) => {
    const before = shown.value.get(key);
    return before?.verdict !== verdict || before.reason !== reason;
  };
  const wishes = keys.filter(differs).map((key) => ({ key, new: { verdict, reason } }));
  if (verdict === "exclude" && !reasons.value.includes(reason)) reasons.value = [...reasons.value, reason];
  enter(wishes, "new");
}

/** Undoes or repeats the latest change. @param {"undo" | "redo"} which */
export function back(which) {
  const { undo, redo } = journal.value;
  const changes = (which === "undo" ? undo : redo).at(-1);
  if (!changes || unsaved.value > 0) return;
  journal.value = which === "undo" ? { undo: undo.slice(0, -1), redo } : { undo, redo: redo.slice(0, -1) };
  enter(changes.map((change) => ({ key: change.key, seen: change.new, new: change.seen })), which === "undo" ? "redo" : "undo");
}

/** @param {Wish[]} wishes @param {"new" | "undo" | "redo"} into list of the journal that gets the change */
function enter(wishes, into) {
  if (wishes.length === 0) return;
  queue.push({ wishes, into });
  batch(() => {
    unsaved.value += wishes.length;
    project();
  });
  write();
}

/** Writes the changes one after another. */
async function write() {
  if (isWriting) return;
  isWriting = true;
  for (let next = queue[0]; next; next = queue[0]) {
    const { wishes, into } = next;
    const changes = wishes.map((wish) => ({ ...wish, seen: wish.seen === undefined ? (inFile.get(wish.key) ?? null) : wish.seen }));
    let failed = "";
    try {
      const answer = await request("/verdicts", { ...POST, body: JSON.stringify({ changes }) });
      const body = await answer.json();
      if (answer.status === 409) conflicts.value = { found: body.conflicts, wishes };
      else accept(body.written, into);
    } catch (error) {
      failed = error instanceof Refused ? error.message : String(error);
    }
    queue.shift();
    batch(() => {
      if (failed) failure.value = `Not saved. ${failed}`;
      unsaved.value -= wishes.length;
      project();
    });
  }
  isWriting = false;
}

/** Takes over what was written. @param {Change[]} changes @param {"new" | "undo" | "redo"} into */
function accept(changes, into) {
  for (const change of changes) {
    if (change.new) inFile.set(change.key, change.new);
    else inFile.delete(change.key);
  }
  const { undo, redo } = journal.value;
  if (into === "redo") journal.value = { undo, redo: [...redo, changes] };
  else journal.value = { undo: [...undo, changes], redo: into === "undo" ? redo : [] };
  sessionStorage.setItem(`verdicts of ${file.value}`, JSON.stringify(journal.value));
  written.value += 1;
  others.postMessage("");
}

/** Ends a conflict: the verdicts in the file stay, or the own ones replace them. @param {boolean} mine */
export function resolve(mine) {
  const conflict = conflicts.value;
  conflicts.value = null;
  if (!conflict) return;
  refresh().then(() => {
    if (mine) enter(conflict.wishes.map(({ key, new: line }) => ({ key, new: line })), "new");
  });
}

// Another tab, an editor or git may have changed the file.
others.onmessage = refresh;
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
addEventListener("beforeunload", (event) => unsaved.value > 0 && event.preventDefault());
