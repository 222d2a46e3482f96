// One stream of events for all tabs of a browser: browsers allow few connections to a server. The tab that holds the lock
// reads the stream and sends each event to the others; when it is closed, another tab goes on.

/**
 * @typedef {{ name: string, id: string, data: string }} RunEvent
 */

/**
 * Calls `heard` with every event of the stream at `address`, until the event `end`.
 * @param {string} address
 * @param {(event: RunEvent) => void} heard
 */
export function follow(address, heard) {
  const channel = new BroadcastChannel(address);
  let ended = false;
  /** @param {RunEvent} event */
  const hear = (event) => {
    ended ||= event.name === "end";
    heard(event);
  };
  channel.onmessage = (message) => hear(message.data);
  const lead = () =>
    /** @type {Promise<void>} */ (new Promise((resolve) => {
      if (ended) return resolve();
      const source = new EventSource(address);
      for (const name of ["changes", "end"]) {
        source.addEventListener(name, (message) => {
          const event = { name, id: message.lastEventId, data: message.data };
          channel.postMessage(event);
          hear(event);
          if (name === "end") {
            source.close();
            resolve();
          }
        });
      }
    }));
  // Locks exist only on pages of this machine or with encryption; without them, each tab reads its own stream.
  if (navigator.locks) navigator.locks.request(address, lead);
  else lead();
}
