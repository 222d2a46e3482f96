// Requests for parts of the table.

import { table } from "./state.js";

/** Number of rows in an answer. */
export const WINDOW = 64;

/** Error with a text for the reader. */
class Refused extends Error {}

/** Text of an error for the reader. @param {unknown} error */
export function explained(error) {
  return error instanceof Refused ? error.message : String(error);
}

/** Options of requests that change something. The server accepts them from its own pages only. */
export const POST = { method: "POST", headers: { "content-type": "application/json", "x-callsheet": "1" } };

/**
 * Answer of the server, unless it refuses the request.
 * @param {string} address
 * @param {RequestInit} options
 */
export async function request(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused("The server does not answer. Start it again with `callsheet serve`, then reload the page.");
  }
  if (answer.ok || answer.status === 409) return answer;
  if (answer.headers.get("content-type") !== "application/json") {
    throw new Refused("The server refused the request. Open the link that `callsheet serve --link` prints.");
  }
  const { message, help } = await answer.json();
  throw new Refused(help ? `${message}\n${help}` : message);
}

/** Part of an address that names the tables and their version. */
function tables() {
  return new URLSearchParams({ v: table.version, ...(table.with && { with: table.with }) });
}

/**
 * Answer to a request for a part of the selection.
 * @param {string} part
 * @param {{ where: string, sort?: string, verdicts?: string, at?: number }} selection
 * @param {AbortSignal} signal
 * @param {Record<string, string>} more
 */
async function ask(part, selection, signal, more = {}) {
  const words = tables();
  if (table.key && !part.startsWith("thumbnails/")) words.set("verdicts", "true");
  if (selection.where) words.set("where", selection.where);
  if (selection.verdicts) words.set("selected_with", selection.verdicts);
  if (selection.sort) words.set("sort", selection.sort);
  for (const [name, value] of Object.entries(more)) words.set(name, value);
  if (selection.at) words.set("at", String(selection.at));
  return request(`${table.address}/${part}?${words}`, { signal });
}

/**
 * Rows of a selection from position `at` on.
 * @param {{ where: string, sort: string, verdicts?: string, at: number }} selection
 * @param {AbortSignal} signal
 * @returns {Promise<import("./table.js").Rows>}
 */
export async function askRows(selection, signal) {
  return (await ask("rows", selection, signal)).json();
}

/**
 * Histograms of all columns.
 * @param {string} where
 * @param {AbortSignal} signal
 * @returns {Promise<import("./table.js").Histogram[]>}
 */
export async function askHistograms(where, signal) {
  return (await (await ask("histograms", { where }, signal)).json()).columns;
}

/**
 * Addresses of the thumbnails of rows: an empty text if the image is missing, `null` if it cannot be shown.
 * @param {string} column
 * @param {number[]} rows
 * @param {AbortSignal} signal
 */
export async function askThumbnails(column, rows, signal) {
  const part = `thumbnails/${encodeURIComponent(column)}`;
  const answer = await ask(part, { where: "" }, signal, { rows: rows.join(",") });
  const pack = new DataView(await answer.arrayBuffer());
  const DAMAGED = 0xffffffff;
  const found = [];
  for (let at = 0; at < pack.byteLength; ) {
    const size = pack.getUint32(at, true);
    at += 4;
    if (size === DAMAGED) found.push(null);
    else if (size === 0) found.push("");
    else {
      found.push(URL.createObjectURL(new Blob([new Uint8Array(pack.buffer, at, size)])));
      at += size;
    }
  }
  return found;
}

/**
 * Bytes about all rows.
 * @param {string} part
 * @param {Record<string, string>} words
 * @param {AbortSignal} signal
 */
export async function askBytes(part, words, signal) {
  return (await ask(part, { where: words.where ?? "" }, signal, words)).arrayBuffer();
}

/** Tables whose columns can be added. @returns {Promise<import("./table.js").Other[]>} */
export async function askOthers() {
  return (await ask("others", { where: "" }, new AbortController().signal)).json();
}

/** Address of a whole image. @param {string} column @param {number} row */
export function imageAddress(column, row) {
  const words = tables();
  return `${table.address}/image/${encodeURIComponent(column)}/${row}?${words}`;
}
