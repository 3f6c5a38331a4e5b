// The wire: what the server says about each byte that passes, on all its connections (docs/wire.md).
//
// It comes as an event stream, `/wire`: each event is a passage, some bytes that one connection has read or written, told apart
// into spans. wire-view.js shows it. It knows the four lanes only by name: these are the server's connections, anybody's.

import { EventStreamParser } from './event-stream.js';
import { bytes } from './format.js';
import { Refused } from './topic.js';
import { keepTrying } from './retry.js';
import { WireCounts } from './wire-counts.js';

/** Spans kept for a lane, and for a connection. */
export const SPANS = 500;
/** Connections kept in the list. */
const CONNECTIONS = 40;
/** Bytes kept of a span, and characters of a note. */
export const BYTES = 256;
const CHARACTERS = 2000;

/** What a connection can carry, by the server's name for it. */
export const TRANSPORTS = {
  publish: 'Publishing',
  'short-poll': 'Short polling',
  'long-poll': 'Long polling',
  sse: 'Server-Sent Events',
  websocket: 'WebSocket',
  '-': 'All else',
};

/**
 * @typedef {object} Span what src/wire/render/json.rs writes
 * @property {'client' | 'server'} side
 * @property {number} offset
 * @property {string} bytes hexadecimal; at most the first `BYTES` of them
 * @property {number} length how many there were
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
 * @property {number} [more] the rest of a long payload, not shown: only `side`, `field` and `data` stand beside it
 *
 * @typedef {object} Passage what one side sent, and was seen at once
 * @property {number} connection
 * @property {string} transport
 * @property {number} time in milliseconds since the server's start
 * @property {'client' | 'server'} side
 * @property {Span[]} spans
 *
 * @typedef {object} Notice something that is missing between two passages
 * @property {string} notice
 * @property {[]} spans
 *
 * @typedef {object} Connection
 * @property {string} key
 * @property {number} number
 * @property {Set<string>} transports what it has carried so far, in order
 * @property {number} bytes
 * @property {'open' | 'ended' | 'out of sight'} is
 * @property {Kept} kept
 */

/** The newest passages, as far as their spans are few enough. */
export class Kept {
  /** Oldest first. @type {(Passage | Notice)[]} */
  passages = [];
  /** Spans that were let go. */
  dropped = 0;
  /** Passages that ever came. */
  came = 0;
  #spans = 0;

  /** @param {Passage | Notice} passage */
  push(passage) {
    this.passages.push(passage);
    this.came += 1;
    this.#spans += passage.spans.length;
    while (this.passages.length > 1 && (this.#spans > SPANS || this.passages.length > SPANS)) {
      const { length } = this.passages.shift().spans;
      this.#spans -= length;
      this.dropped += length;
    }
  }
}

export class Wire {
  /** @type {{ name: 'closed' | 'connecting' | 'open' | 'reconnecting' | 'ended', until?: number, why?: string, status?: number }} */
  state = { name: 'closed' };
  /** To be drawn anew. */
  changed = true;
  /** Oldest first. @type {Map<string, Connection>} */
  connections = new Map();
  /** How many connections are no longer in the list. */
  forgotten = 0;
  /** @type {Map<string, Kept>} */
  lanes = new Map(Object.keys(TRANSPORTS).map((name) => [name, new Kept()]));
  counts = new WireCounts();
  /** What the stream's `retry:` asked for, in milliseconds. @type {number | null} */
  retry = null;

  /** How often it was opened: a server that has come back numbers its connections from 1 again. */
  #opened = 0;
  /** @type {AbortController | null} */
  #connection = null;
  #settle;

  /** @param {import('./topic.js').Topic} topic whose token it takes */
  constructor(topic) {
    this.topic = topic;
    /** Resolves once it is known whether there is a view: when it is open, refused, or can't be reached. @type {Promise<void>} */
    this.settled = new Promise((resolve) => { this.#settle = resolve; });
  }

  follow() {
    if (this.#connection) return;
    this.#connection = new AbortController();
    keepTrying(follow, this, this.#connection.signal);
  }

  close() {
    this.#connection?.abort();
    this.#connection = null;
    this.#become({ name: 'closed' });
  }

  /** Forgets what has passed; what is open stays in the list. */
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

  // What keepTrying tells.

  connecting() {
    this.#become({ name: 'connecting' });
  }

  /**
   * @param {number} pause
   * @param {string} why
   */
  reconnecting(pause, why) {
    this.#become({ name: 'reconnecting', until: performance.now() + pause, why });
    this.#settle();
  }

  /** @param {string} why */
  ended(why) {
    this.#become({ name: 'ended', why, status: Number.parseInt(why, 10) });
    this.#settle();
  }

  // What follow tells.

  open() {
    this.#opened += 1;
    if (this.#opened > 1) this.#missing('The view was away. What passed meanwhile is not here.');
    this.#become({ name: 'open' });
    this.#settle();
  }

  /** More passed than was taken from the server in time. */
  gap() {
    this.counts.isLess = true;
    this.#missing('More passed than this page could take. Something is missing here.');
  }

  /** @param {{ connection: number, transport?: string, time_ms: number, spans?: Span[], ended?: true, lost?: number }} passed */
  passed({ connection: number, transport, time_ms: time, spans = [], ended, lost }) {
    this.changed = true;
    if (lost) {
      this.counts.unseen += lost;
      this.#missing(`${bytes(lost)} passed at once that the server did not show. They are missing here.`);
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
      if (this.connections.size > CONNECTIONS) this.#forget();
    }
    return connection;
  }

  /** Lets go of the oldest that has ended, or else of the oldest. */
  #forget() {
    const [first] = this.connections.values();
    const oldest = [...this.connections.values()].find(({ is }) => is !== 'open') ?? first;
    this.connections.delete(oldest.key);
    this.counts.ended(oldest.key);
    this.forgotten += 1;
  }

  /** @param {string} notice */
  #missing(notice) {
    const isAway = this.state.name !== 'open';
    for (const connection of this.connections.values()) {
      this.counts.ended(connection.key); // what was half there is not completed
      if (connection.is !== 'open') continue;
      // A connection that is still there is seen anew, from where it is then.
      if (isAway) connection.is = 'out of sight';
      else connection.kept.push({ notice, spans: [] });
    }
    for (const kept of this.lanes.values()) if (kept.came > 0) kept.push({ notice, spans: [] });
    this.changed = true;
  }

  #become(state) {
    this.state = state;
    this.changed = true;
  }
}

/**
 * What is kept of a span: a page is no recording.
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
async function follow(wire, signal, healthy) {
  const headers = { ...wire.topic.headers, Accept: 'text/event-stream' };
  const response = await fetch('/wire', { headers, cache: 'no-store', signal });
  const type = response.headers.get('Content-Type') ?? '';
  if (response.status !== 200 || !type.startsWith('text/event-stream')) throw await Refused.explained(response);
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
      if (id !== undefined) healthy();
      if (event === 'gap') wire.gap();
      else if (event === 'passed') wire.passed(JSON.parse(data));
    }
  }
}
