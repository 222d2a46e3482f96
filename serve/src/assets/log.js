// Appends what a worker writes to the log on the page, until the run ends.

const log = /** @type {HTMLElement} */ (document.getElementById("log-text"));
const PAUSE = 500;

/** True if the reader sees the end of the log: then it stays in view. */
function atEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 8;
}

async function next() {
  const answer = await fetch(`${log.dataset.log}?since=${log.dataset.at}`);
  // A stage that has not started yet has no log.
  if (!answer.ok) return retry();
  const { text, at, more } = await answer.json();
  const follow = atEnd();
  log.append(text);
  log.dataset.at = at;
  if (follow) log.scrollTop = log.scrollHeight;
  if (more) setTimeout(() => next().catch(retry), PAUSE);
}

/** The server may have been started again. */
function retry() {
  setTimeout(() => next().catch(retry), 10 * PAUSE);
}

log.scrollTop = log.scrollHeight;
next().catch(retry);
