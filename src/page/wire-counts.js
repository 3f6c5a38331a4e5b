// What it costs to carry data, counted from the bytes that passed: bytes of data, all other bytes, and events.
//
// Data is what src/wire calls payload: a body, a WebSocket message, the value of an event stream's `data`. The JSON around an event is
// data to the wire, the ids of an event stream are not.

/**
 * @typedef {object} Count
 * @property {{ client: number, server: number }} data bytes, by who sent them
 * @property {{ client: number, server: number }} overhead
 * @property {number} events delivered; published, where the transport is publishing
 * @property {boolean} isLess there may have been more events: a long body was not shown whole
 */

export class WireCounts {
  /** @type {Map<string, Count>} */
  transports = new Map();
  /** Bytes that passed when too many passed at once to be shown. */
  unseen = 0;
  /** More passed, and it is not known how much. */
  isLess = false;
  /** The body of each connection's answer, as far as it has come. @type {Map<string, { text: string, isWhole: boolean }>} */
  #bodies = new Map();

  /** @param {string} transport */
  of(transport) {
    let count = this.transports.get(transport);
    if (!count) {
      count = { data: { client: 0, server: 0 }, overhead: { client: 0, server: 0 }, events: 0, isLess: false };
      this.transports.set(transport, count);
    }
    return count;
  }

  /**
   * @param {string} connection
   * @param {string} transport
   * @param {import('./wire.js').Span} span
   */
  count(connection, transport, span) {
    const count = this.of(transport);
    const isData = span.data ?? span.kind === 'payload';
    count[isData ? 'data' : 'overhead'][span.side] += span.length;
    if (span.side !== 'server') return;
    if (['publish', 'short-poll', 'long-poll'].includes(transport)) this.#body(connection, span, isData);
    for (const note of span.notes ?? []) {
      if (note.note === 'event' && transport === 'sse' && note.event !== 'gap') count.events += 1;
      // The greeting begins with `next`, and what /echo sends back with what it was sent. What the view could not read was an event.
      const isEvent = note.not_kept !== undefined || note.text?.startsWith('{"id":"');
      if (note.note === 'message' && transport === 'websocket' && isEvent) count.events += 1;
      if (note.note === 'response') this.#answered(connection, transport, count, note);
    }
  }

  /** Nothing that belongs to what was there comes any more. @param {string} connection */
  ended(connection) {
    this.#bodies.delete(connection);
  }

  #body(connection, span, isData) {
    if (!isData) return;
    const body = this.#bodies.get(connection) ?? { text: '', isWhole: true };
    this.#bodies.set(connection, body);
    if (span.more) body.isWhole = false;
    else body.text += latin1(span.bytes);
  }

  #answered(connection, transport, count, { status }) {
    const body = this.#bodies.get(connection);
    this.#bodies.delete(connection);
    if (!body || status >= 300) return;
    // `{"id":"…"}` or `{"ids":["…",…]}`; an id has no quotation marks in it.
    if (transport === 'publish') count.events += Math.max(0, (body.text.match(/"[^"]*"/g) ?? []).length - 1);
    // Within a string a quotation mark is escaped, so this stands only where an event begins.
    else count.events += (body.text.match(/\{"id":"/g) ?? []).length;
    if (!body.isWhole) count.isLess = true;
  }
}

/** @param {string} hex */
function latin1(hex) {
  return hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16)));
}
