// The wire: the server's description of every byte on all of its connections (docs/wire.md).
//
// The page receives it as an event stream, `/wire`. Each event has the bytes that one connection
// has read or written, split into spans. This module groups the spans into passages: a passage is a
// sequence of bytes that one side sent. wire-view.js shows them. The connections are those of all
// clients, not only those of this page's lanes.

import { EventStreamParser } from './event-stream.js';
import { bytes } from './format.js';
import { ResponseError } from './topic.js';
import { keepTrying } from './retry.js';
import { WireCounts } from './wire-counts.js';

/** The number of spans kept for each lane and each connection. */
export const SPANS = 500;
/** The number of connections kept in the list. */
const CONNECTIONS = 40;
/** The number of bytes kept of a span. */
export const BYTES = 256;
/** The number of characters kept of a note. */
const CHARACTERS = 2000;

/** The transports and their titles, by the server's names for them. */
export const TRANSPORTS = {
  publish: 'Publishing',
  'short-poll': 'Short polling',
  'long-poll': 'Long polling',
  sse: 'Server-Sent Events',
  websocket: 'WebSocket',
  '-': 'Other',
};

/**
 * @typedef {object} Span a field of the protocol, as src/wire/render/json.rs writes it
 * @property {'client' | 'server'} side
 * @property {number} offset
 * @property {string} bytes hexadecimal; at most the first `BYTES` of them
 * @property {number} length the total number of bytes
 * @property {string} field
 * @property {string} value
 * @property {string} meaning
 * @property {string} section
 * @property {string} url
 * @property {string} kind
 * @property {string} [unmasked]
 * @property {object[]} [bits]
 * @property {{ rule: string, section: string, url: string }} [wrong]
 * @property {boolean} [cut_off]
 * @property {{ from: number, to: number }[]} [hidden]
 * @property {object[]} [notes]
 * @property {number} [more] the size of the rest of a long payload, which is not shown. Such a span
 * has no properties besides `side`, `field` and `data`.
 *
 * @typedef {object} Passage a sequence of bytes that one side sent
 * @property {number} connection
 * @property {string} transport
 * @property {number} time milliseconds since the server started
 * @property {'client' | 'server'} side
 * @property {Span[]} spans
 *
 * @typedef {object} Notice a message about bytes that are missing between two passages
 * @property {string} notice
 * @property {[]} spans
 *
 * @typedef {object} Connection
 * @property {string} key
 * @property {number} number
 * @property {Set<string>} transports the transports used so far, in order
 * @property {number} bytes
 * @property {'open' | 'ended' | 'out of sight'} is
 * @property {Kept} kept
 */

/** The newest passages, up to a limit of spans. */
export class Kept {
  /** Oldest first. @type {(Passage | Notice)[]} */
  passages = [];
  /** The number of spans that were dropped. */
  dropped = 0;
  /** The number of passages that have ever arrived. */
  total = 0;
  #spans = 0;

  /** @param {Passage | Notice} passage */
  push(passage) {
    this.passages.push(passage);
    this.total += 1;
    this.#spans += passage.spans.length;
    while (this.passages.length > 1 && (this.#spans > SPANS || this.passages.length > SPANS)) {
      const { length } = this.passages.shift().spans;
      this.#spans -= length;
      this.dropped += length;
    }
  }
}

export class Wire {
  /**
   * @type {{
   *   name: 'closed' | 'connecting' | 'open' | 'reconnecting' | 'ended',
   *   until?: number,
   *   reason?: string,
   *   status?: number,
   * }}
   */
  state = { name: 'closed' };
  /** True if the view has to be drawn again. */
  changed = true;
  /** Oldest first. @type {Map<string, Connection>} */
  connections = new Map();
  /** The number of connections that were dropped from the list. */
  forgotten = 0;
  /** @type {Map<string, Kept>} */
  lanes = new Map(Object.keys(TRANSPORTS).map((name) => [name, new Kept()]));
  counts = new WireCounts();
  /** The `retry:` value of the stream, in milliseconds. @type {number | null} */
  retry = null;

  /**
   * How often the stream was opened. It is part of a connection's key, because a restarted server
   * numbers its connections from 1 again.
   */
  #opened = 0;
  /** @type {AbortController | null} */
  #connection = null;
  #resolveReady;

  /** @param {import('./topic.js').Topic} topic the topic, for its token */
  constructor(topic) {
    this.topic = topic;
    /**
     * Resolves when the stream is open, refused or unreachable for the first time.
     * @type {Promise<void>}
     */
    this.ready = new Promise((resolve) => { this.#resolveReady = resolve; });
  }

  follow() {
    if (this.#connection) return;
    this.#connection = new AbortController();
    keepTrying(follow, this, this.#connection.signal);
  }

  close() {
    this.#connection?.abort();
    this.#connection = null;
    this.#setState({ name: 'closed' });
  }

  /** Clears all passages and counts. Open connections stay in the list. */
  clear() {
    this.counts = new WireCounts();
    for (const name of this.lanes.keys()) this.lanes.set(name, new Kept());
    for (const [key, connection] of this.connections) {
      if (connection.is !== 'open') this.connections.delete(key);
      connection.kept = new Kept();
      connection.bytes = 0;
    }
    this.forgotten = 0;
    this.changed = true;
  }

  // Called by keepTrying.

  connecting() {
    this.#setState({ name: 'connecting' });
  }

  /**
   * @param {number} delay
   * @param {string} reason
   */
  reconnecting(delay, reason) {
    this.#setState({ name: 'reconnecting', until: performance.now() + delay, reason });
    this.#resolveReady();
  }

  /** @param {string} reason */
  ended(reason) {
    this.#setState({ name: 'ended', reason, status: Number.parseInt(reason, 10) });
    this.#resolveReady();
  }

  // Called by follow.

  open() {
    this.#opened += 1;
    if (this.#opened > 1) this.#addNotice('The view was disconnected. Bytes that passed in the meantime are missing here.');
    this.#setState({ name: 'open' });
    this.#resolveReady();
  }

  /** Records that the page read too slowly and the server dropped part of the stream. */
  addGap() {
    this.counts.isPartial = true;
    this.#addNotice('Bytes passed faster than this page could read. Some are missing here.');
  }

  /**
   * Records an event of the stream: bytes that passed, the end of a connection, or lost bytes.
   * @param {{
   *   connection: number, transport?: string, time_ms: number,
   *   spans?: Span[], ended?: true, lost?: number,
   * }} event
   */
  addPassed({ connection: number, transport, time_ms: time, spans = [], ended, lost }) {
    this.changed = true;
    if (lost) {
      this.counts.notShown += lost;
      this.#addNotice(`${bytes(lost)} passed too fast for the server to show. They are missing here.`);
      return;
    }
    const connection = this.#connectionOf(number, ended);
    if (!connection) return;
    if (ended) {
      connection.is = 'ended';
      this.counts.ended(connection.key);
      return;
    }
    connection.transports.add(transport);
    /** @type {Passage[]} */
    const passages = [];
    for (const span of spans) {
      span.length = span.more ?? span.bytes.length / 2;
      connection.bytes += span.length;
      this.counts.count(connection.key, transport, span);
      const { side } = span;
      if (passages.at(-1)?.side !== side) passages.push({ connection: number, transport, time, side, spans: [] });
      passages.at(-1).spans.push(shorten(span));
    }
    if (!this.lanes.has(transport)) this.lanes.set(transport, new Kept());
    for (const passage of passages) {
      connection.kept.push(passage);
      this.lanes.get(transport).push(passage);
    }
  }

  #connectionOf(number, ended) {
    const key = `${this.#opened}:${number}`;
    let connection = this.connections.get(key);
    if (!connection && !ended) {
      connection = { key, number, transports: new Set(), bytes: 0, is: 'open', kept: new Kept() };
      this.connections.set(key, connection);
      if (this.connections.size > CONNECTIONS) this.#dropOldest();
    }
    return connection;
  }

  /** Drops the oldest connection that has ended, or the oldest one if all are open. */
  #dropOldest() {
    const [first] = this.connections.values();
    const oldest = [...this.connections.values()].find(({ is }) => is !== 'open') ?? first;
    this.connections.delete(oldest.key);
    this.counts.ended(oldest.key);
    this.forgotten += 1;
  }

  /** @param {string} notice */
  #addNotice(notice) {
    const isDisconnected = this.state.name !== 'open';
    for (const connection of this.connections.values()) {
      this.counts.ended(connection.key); // an incomplete body will not be completed
      if (connection.is !== 'open') continue;
      // If the connection still exists, the stream continues it under a new key.
      if (isDisconnected) connection.is = 'out of sight';
      else connection.kept.push({ notice, spans: [] });
    }
    for (const kept of this.lanes.values()) if (kept.total > 0) kept.push({ notice, spans: [] });
    this.changed = true;
  }

  #setState(state) {
    this.state = state;
    this.changed = true;
  }
}

/**
 * Shortens a span, because the page is not a recording.
 * @param {Span} span
 */
function shorten(span) {
  if (span.bytes?.length > 2 * BYTES) span.bytes = span.bytes.slice(0, 2 * BYTES);
  if (span.unmasked?.length > 2 * BYTES) span.unmasked = span.unmasked.slice(0, 2 * BYTES);
  for (const note of span.notes ?? []) {
    for (const name of ['text', 'binary', 'data', 'target']) {
      if (note[name]?.length > CHARACTERS) note[name] = `${note[name].slice(0, CHARACTERS)}…`;
    }
  }
  return span;
}

/** @type {import('./retry.js').Attempt} */
async function follow(wire, signal, resetBackoff) {
  const headers = { ...wire.topic.headers, Accept: 'text/event-stream' };
  const response = await fetch('/wire', { headers, cache: 'no-store', signal });
  const type = response.headers.get('Content-Type') ?? '';
  if (response.status !== 200 || !type.startsWith('text/event-stream')) throw await ResponseError.withDetail(response);
  wire.open();

  const parser = new EventStreamParser();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) return;
    for (const { event, id, data, retry } of parser.push(decoder.decode(value, { stream: true }))) {
      if (retry !== undefined) wire.retry = retry;
      if (id !== undefined) resetBackoff();
      if (event === 'gap') wire.addGap();
      else if (event === 'passed') wire.addPassed(JSON.parse(data));
    }
  }
}
