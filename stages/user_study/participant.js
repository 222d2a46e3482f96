"use strict";

// The participant, and the answers that the browser remembers. Some browsers do not store data for pages on disk.

function remembered(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

// A participant with a random id of 16 hexadecimal digits.
function newParticipant() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return { id: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""), answers: [] };
}

// A generator (mulberry32) of numbers in [0, 1), which depend only on the participant.
function randomOf(id) {
  let state = parseInt(id.slice(0, 8), 16);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The participant's order of the questions, by a Fisher-Yates shuffle.
function orderOf(id, questions) {
  const random = randomOf(id);
  const order = [...questions];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}

// Returns true if the remembered value is a participant who answered the first of these questions in order.
function isParticipant(found, questions) {
  if (!/^[0-9a-f]{16}$/.test(found?.id) || !Array.isArray(found.answers)) {
    return false;
  }
  const order = orderOf(found.id, questions);
  return found.answers.every((answer, at) => answer?.question === order[at]?.id);
}
