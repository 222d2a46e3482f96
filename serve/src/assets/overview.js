// Loads the overview again when the work of the next run has changed, e.g. because a run has ended.

/** Milliseconds between two looks. */
const PAUSE = 10_000;

const sentence = document.getElementById("next-run")?.textContent;

async function look() {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/next-run");
  if (!answer.ok) return;
  const found = await answer.json();
  if (found.sentence !== sentence) location.reload();
}

// Without an answer, the server has ended; the page stays.
setInterval(() => look().catch(() => {}), PAUSE);
