// One stream of a run's changes for all tabs of a browser: browsers allow few connections to a server. The tab that holds the
// lock reads the stream and sends each event to the others; when it is closed, another tab goes on.

/** Milliseconds before another attempt. */
const PAUSE = 2000;

/**
 * @typedef {{ name: string, id: string, changes: Record<string, { state?: string, duration?: string, progress?: string }> }} RunEvent
 */

/**
 * Calls `heard` with the changes of a run, until the event `end`.
 * @param {string} run address of the run
 * @param {string} since position of the events that the page shows already
 * @param {(event: RunEvent) => void} heard
 */
export async function follow(run, since, heard) {
  const channel = new BroadcastChannel(run);
  let last = since;
  let ended = false;
  /** @param {RunEvent} event */
  const hear = (event) => {
    last = event.id;
    ended ||= event.name === "end";
    heard(event);
  };
  channel.onmessage = (message) => hear(message.data);
  const lead = () =>
    /** @type {Promise<void>} */ (new Promise((resolve) => {
      if (ended) return resolve();
      const source = new EventSource(`${run}/events?since=${last}`);
      for (const name of ["changes", "end"]) {
        source.addEventListener(name, (message) => {
          const event = { name, id: message.lastEventId, changes: JSON.parse(message.data) };
          channel.postMessage(event);
          hear(event);
          if (name === "end") {
            source.close();
            resolve();
          }
        });
      }
      // A browser gives a stream up if the server answers with an error; it may have been started again.
      source.addEventListener("error", () => {
        if (source.readyState === EventSource.CLOSED) setTimeout(() => lead().then(resolve), PAUSE);
      });
    }));
  // Locks exist only on pages of this machine or with encryption; without them, each tab reads its own stream.
  if (navigator.locks) navigator.locks.request(run, lead);
  else lead();
  // Changes that another tab sent while this page was loaded. If a newer one has arrived in the meantime, they are asked for
  // again, so that an old state never replaces a new one.
  for (;;) {
    const answer = await fetch(`${run}/changes?since=${since}`);
    if (!answer.ok) return;
    const { at, changes } = await answer.json();
    if (Number(last) > at) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    hear({ name: "changes", id: String(at), changes });
    return;
  }
}
