// The cost of each transport: bytes of data, bytes of overhead, and events.
//
// Data is the content that src/wire calls payload: a body, a WebSocket message, or the value of a
// `data` line in an event stream. All other bytes are overhead. The JSON around an event is
// therefore data, and the ids in an event stream are overhead.

/**
 * @typedef {object} Count
 * @property {{ client: number, server: number }} data bytes, by sender
 * @property {{ client: number, server: number }} overhead bytes, by sender
 * @property {number} events the delivered events; for publishing, the published events
 * @property {boolean} isPartial true if there may be more events, because a long body was not shown
 * completely
 */

export class WireCounts {
  /** @type {Map<string, Count>} */
  transports = new Map();
  /** Bytes that the server did not show because too many passed at once. */
  notShown = 0;
  /** True if an unknown number of bytes is missing from the counts. */
  isPartial = false;
  /**
   * The received part of the current response body, by connection.
   * @type {Map<string, { text: string, isComplete: boolean }>}
   */
  #bodies = new Map();

  /** @param {string} transport */
  of(transport) {
    let count = this.transports.get(transport);
    if (!count) {
      count = { data: { client: 0, server: 0 }, overhead: { client: 0, server: 0 }, events: 0, isPartial: false };
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
    if (['publish', 'short-poll', 'long-poll'].includes(transport)) this.#addToBody(connection, span, isData);
    for (const note of span.notes ?? []) {
      if (note.note === 'event' && transport === 'sse' && note.event !== 'gap') count.events += 1;
      // An event starts with its id. The hello starts with `next`, and a message of /echo with
      // anything. A message that the server did not keep was an event.
      const isEvent = note.not_kept !== undefined || note.text?.startsWith('{"id":"');
      if (note.note === 'message' && transport === 'websocket' && isEvent) count.events += 1;
      if (note.note === 'response') this.#countResponse(connection, transport, count, note);
    }
  }

  /** Drops the incomplete body of a connection that has ended. @param {string} connection */
  ended(connection) {
    this.#bodies.delete(connection);
  }

  #addToBody(connection, span, isData) {
    if (!isData) return;
    const body = this.#bodies.get(connection) ?? { text: '', isComplete: true };
    this.#bodies.set(connection, body);
    if (span.more) body.isComplete = false;
    else body.text += latin1(span.bytes);
  }

  #countResponse(connection, transport, count, { status }) {
    const body = this.#bodies.get(connection);
    this.#bodies.delete(connection);
    if (!body || status >= 300) return;
    // The body is `{"id":"…"}` or `{"ids":["…",…]}`, and an id contains no quotation mark.
    if (transport === 'publish') count.events += Math.max(0, (body.text.match(/"[^"]*"/g) ?? []).length - 1);
    // Quotation marks within strings are escaped, so the pattern only matches the start of an
    // event.
    else count.events += (body.text.match(/\{"id":"/g) ?? []).length;
    if (!body.isComplete) count.isPartial = true;
  }
}

/** @param {string} hex */
function latin1(hex) {
  return hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16)));
}
