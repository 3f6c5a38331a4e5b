// The page's record of events. An entry has two times: when the page published the event, and when
// the page first knew of it.
//
// A lane shows the delay since the first time. With the second, it decides whether it missed the
// event during a cut.

/**
 * @typedef {object} Entry
 * @property {number} firstSeen when the page first knew of the event, by performance.now()
 * @property {number | undefined} published when this page published the event; `undefined` if
 * another client did
 */

/** The number of entries kept: more than the lanes' lists can show, so older ones are not needed. */
const MAX_ENTRIES = 2000;

export class Ledger {
  /** @type {Map<string, Entry>} by id, oldest first */
  #entries = new Map();
  /**
   * Messages sent over the WebSocket, which returns no id. An event with the same data is taken for
   * the message.
   * @type {{ data: string, at: number }[]}
   */
  #overSocket = [];

  /**
   * Records an event that this page published with a POST. The event may arrive before the response
   * to the POST.
   * @param {string} id
   * @param {number} at when the page sent the POST
   */
  published(id, at) {
    const entry = this.#entries.get(id) ?? this.#add(id, { firstSeen: at, published: at });
    entry.published = at;
    entry.firstSeen = Math.min(entry.firstSeen, at);
  }

  /**
   * @param {string} data
   * @param {number} at
   */
  sentOverSocket(data, at) {
    this.#overSocket.push({ data, at });
  }

  /** Forgets the messages of a closed WebSocket, because the server may not have received them. */
  clearSocket() {
    this.#overSocket = [];
  }

  /**
   * Returns the entry of an event that a lane has received, and adds the entry if it is new.
   * @param {{ id: string, event: string, data: string }} event
   * @param {number} now
   * @returns {Entry}
   */
  received(event, now) {
    const existing = this.#entries.get(event.id);
    if (existing) return existing;
    const own = event.event === 'message' ? this.#overSocket.findIndex(({ data }) => data === event.data) : -1;
    const published = own < 0 ? undefined : this.#overSocket.splice(own, 1)[0].at;
    return this.#add(event.id, { firstSeen: published ?? now, published });
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #add(id, entry) {
    this.#entries.set(id, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value);
    return entry;
  }
}
