// A lane: one transport's connection, what came over it, and what that cost.
//
// The transports (short-poll.js, long-poll.js, sse.js, websocket.js) call it; lane-view.js shows it. It knows neither.
// Its whole memory of the topic is one id, `cursor`: the last one it saw. All four transports take any
// id that another gave, so a cut lane comes back with it and gets what it missed.

import { FILLER } from './flood.js';
import { keepTrying } from './retry.js';
import { Interval } from './short-poll.js';
import { Timeline } from './timeline.js';

/** Rows kept for the list; the counts go on. */
const ROWS = 50;

/**
 * @typedef {object} Row what the list shows, of one of these kinds
 * @property {'event' | 'filler' | 'gap'} kind
 * @property {boolean} [late] missed during a cut, and caught up
 * @property {{ id: string, event: string, data: string }} [event]
 * @property {number} [arrived]
 * @property {import('./ledger.js').Entry} [entry]
 * @property {string} [first] a filler row stands for many: its first id …
 * @property {string} [last] … its last …
 * @property {number} [count] … and how many
 * @property {string} [since] a gap: what was asked for …
 * @property {string | null} [oldest] … and the oldest that is still kept
 */

export class Lane {
  /** Where it stands. `null` before the page's beginning is known. @type {string | null} */
  cursor = null;
  /** @type {{ name: 'connecting' | 'waiting' | 'open' | 'cut' | 'reconnecting' | 'ended', until?: number, why?: string }} */
  state = { name: 'connecting' };
  counts = { events: 0, requests: 0, empty: 0, sent: 0, received: 0, heartbeats: 0, gaps: 0 };
  /** Newest first. @type {Row[]} */
  rows = [];
  /** To be drawn anew. */
  changed = true;

  // Settings and connections of single transports.
  interval = new Interval();
  wait = 20;
  /** What an event stream's `retry:` asked for, in milliseconds. @type {number | null} */
  retry = null;
  /** The open one, for sending. @type {WebSocket | null} */
  socket = null;

  /** @type {AbortController | null} */
  #connection = null;
  #resumed = -Infinity;
  #lastIds = new Set();
  /** @type {Map<string, () => void>} */
  #awaited = new Map();

  /**
   * @param {string} name
   * @param {import('./retry.js').Attempt} follow
   * @param {import('./topic.js').Topic} topic
   * @param {import('./ledger.js').Ledger} ledger
   */
  constructor(name, follow, topic, ledger) {
    this.name = name;
    this.follow = follow;
    this.topic = topic;
    this.ledger = ledger;
    this.line = new Timeline();
  }

  // Cut and brought back, from outside.

  connect() {
    if (this.#connection) return;
    this.#connection = new AbortController();
    this.line.resume();
    keepTrying(this.follow, this, this.#connection.signal);
  }

  cut() {
    this.#connection?.abort();
    this.#connection = null;
    this.line.cut();
    this.#become({ name: 'cut' });
  }

  get isCut() {
    return this.#connection === null;
  }

  /** Neither cut nor broken: what is published now will come. */
  get isLive() {
    return ['waiting', 'open'].includes(this.state.name);
  }

  // What the connection does.

  connecting() {
    if (this.counts.requests > 0) this.#resumed = performance.now();
    this.#become({ name: 'connecting' });
  }

  waiting() {
    if (this.state.name !== 'waiting') this.#become({ name: 'waiting' });
  }

  open() {
    this.#become({ name: 'open' });
  }

  /**
   * @param {number} pause
   * @param {string} why
   */
  reconnecting(pause, why) {
    this.#become({ name: 'reconnecting', until: performance.now() + pause, why });
  }

  /** @param {string} why */
  ended(why) {
    this.#become({ name: 'ended', why });
  }

  // What passes over it.

  /** @param {number} bytes of a request's head */
  asked(bytes) {
    this.counts.requests += 1;
    this.sent(bytes);
  }

  /** @param {number} bytes */
  sent(bytes) {
    this.counts.sent += bytes;
    this.changed = true;
  }

  /** @param {number} bytes */
  received(bytes) {
    this.counts.received += bytes;
    this.changed = true;
  }

  gotNothing() {
    this.counts.empty += 1;
    this.changed = true;
  }

  heartbeat() {
    this.counts.heartbeats += 1;
    this.line.mark('heartbeat');
    this.changed = true;
  }

  /** @param {string} cursor */
  moved(cursor) {
    this.cursor = cursor;
  }

  /** @param {{ id: string, event: string, data: string }} event */
  event(event) {
    const now = performance.now();
    this.cursor = event.id;
    this.counts.events += 1;
    this.changed = true;

    if (event.event === FILLER) {
      this.line.mark('filler');
      const newest = this.rows[0];
      if (newest?.kind === 'filler') {
        newest.last = event.id;
        newest.count += 1;
      } else {
        this.#addRow({ kind: 'filler', first: event.id, last: event.id, count: 1 });
      }
    } else {
      const entry = this.ledger.saw(event, now);
      // Missed: the page knew of it before this lane was back. What nobody here knew (all lanes were cut, and another
      // published) is taken for missed if it comes right behind the connection.
      const late = entry.known < this.#resumed || (entry.known === now && now - this.#resumed < 250);
      this.line.mark(late ? 'late' : 'event');
      this.#addRow({ kind: 'event', event, late, arrived: now, entry });
    }

    this.#lastIds.add(event.id);
    if (this.#lastIds.size > ROWS) this.#lastIds.delete(this.#lastIds.values().next().value);
    this.#awaited.get(event.id)?.();
  }

  /**
   * Something between what the lane had and what comes next is no longer kept.
   * @param {{ since: string, oldest: string | null }} gap
   */
  gap({ since, oldest }) {
    this.counts.gaps += 1;
    this.line.mark('gap');
    this.#addRow({ kind: 'gap', since, oldest });
    this.changed = true;
  }

  /**
   * Resolves when the event has come, or after `patience` milliseconds without it.
   * @param {string} id
   * @param {number} patience
   * @returns {Promise<void>}
   */
  reached(id, patience) {
    if (this.#lastIds.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#awaited.delete(id);
        resolve();
      };
      const timer = setTimeout(done, patience);
      this.#awaited.set(id, done);
    });
  }

  /** From publish to arrival, of those that this page published and that were not missed, newest first. */
  delays() {
    return this.rows
      .filter((row) => row.kind === 'event' && !row.late && row.entry.published !== undefined)
      .map((row) => row.arrived - row.entry.published);
  }

  #become(state) {
    this.state = state;
    this.changed = true;
  }

  /** @param {Row} row */
  #addRow(row) {
    this.rows.unshift(row);
    if (this.rows.length > ROWS) this.rows.pop();
  }
}
