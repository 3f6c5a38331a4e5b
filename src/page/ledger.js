// What the page knows about events apart from their delivery: when it published them itself, and when
// any of its lanes saw them first. From the one comes the delay, from the other what was missed during a cut.

/**
 * @typedef {object} Entry
 * @property {number} known when the page first knew of the event, by performance.now()
 * @property {number | undefined} published when this page sent it; `undefined`: it was somebody else's
 */

/** More than fit into the lanes' lists: older entries can no longer be asked for. */
const KEPT = 2000;

export class Ledger {
  /** @type {Map<string, Entry>} by id, oldest first */
  #entries = new Map();
  /** @type {{ data: string, at: number }[]} sent over the socket, which tells no id; known by its data when it comes back */
  #overSocket = [];

  /**
   * The POST's answer has told the id. The event itself may have been faster.
   * @param {string} id
   * @param {number} at when it was sent
   */
  published(id, at) {
    const entry = this.#entries.get(id) ?? this.#add(id, { known: at, published: at });
    entry.published = at;
    entry.known = Math.min(entry.known, at);
  }

  /**
   * @param {string} data
   * @param {number} at
   */
  sentOverSocket(data, at) {
    this.#overSocket.push({ data, at });
  }

  /** The socket broke: what it has not brought back may never have arrived. */
  forgetSocket() {
    this.#overSocket = [];
  }

  /**
   * A lane received the event.
   * @param {{ id: string, event: string, data: string }} event
   * @param {number} now
   * @returns {Entry}
   */
  saw(event, now) {
    const before = this.#entries.get(event.id);
    if (before) return before;
    const own = event.event === 'message' ? this.#overSocket.findIndex(({ data }) => data === event.data) : -1;
    const published = own < 0 ? undefined : this.#overSocket.splice(own, 1)[0].at;
    return this.#add(event.id, { known: published ?? now, published });
  }

  /**
   * @param {string} id
   * @param {Entry} entry
   */
  #add(id, entry) {
    this.#entries.set(id, entry);
    if (this.#entries.size > KEPT) this.#entries.delete(this.#entries.keys().next().value);
    return entry;
  }
}
