// A lane: the connection of one transport, the events that arrived over it, and their cost.
//
// The transports (short-poll.js, long-poll.js, sse.js, websocket.js) call the lane, and
// lane-view.js shows it. The lane depends on neither. Its position in the topic is a single id,
// `cursor`: the id of the last event that it received. When a lane reconnects after a cut, it sends
// this id and receives the events that it missed.

import { FILLER } from './flood.js';
import { keepTrying } from './retry.js';
import { Interval } from './short-poll.js';
import { Timeline } from './timeline.js';

/** The number of rows kept for the list. The counts include older events too. */
const ROWS = 50;

/**
 * @typedef {object} Row a row of the list
 * @property {'event' | 'filler' | 'gap'} kind
 * @property {boolean} [late] event: true if the lane missed the event during a cut and caught up
 * @property {{ id: string, event: string, data: string }} [event] event: the event itself
 * @property {number} [arrived] event: the time of its arrival
 * @property {import('./ledger.js').Entry} [entry] event: its entry in the ledger
 * @property {string} [first] filler: the id of the row's first event
 * @property {string} [last] filler: the id of the row's last event
 * @property {number} [count] filler: the number of events in the row
 * @property {string} [since] gap: the requested position
 * @property {string | null} [oldest] gap: the oldest id that the log still keeps
 */

export class Lane {
  /** The position in the topic. `null` until the page knows where to start. @type {string | null} */
  cursor = null;
  /**
   * @type {{
   *   name: 'connecting' | 'waiting' | 'open' | 'cut' | 'reconnecting' | 'ended',
   *   until?: number,
   *   reason?: string,
   * }}
   */
  state = { name: 'connecting' };
  counts = { events: 0, requests: 0, empty: 0, sent: 0, received: 0, heartbeats: 0, gaps: 0 };
  /** Newest first. @type {Row[]} */
  rows = [];
  /** True if the lane has to be drawn again. */
  changed = true;

  // State of single transports: the interval of short polls, the wait of long polls in seconds.
  interval = new Interval();
  wait = 20;
  /** The `retry:` value of the event stream, in milliseconds. @type {number | null} */
  retry = null;
  /** The open WebSocket, for sending. @type {WebSocket | null} */
  socket = null;

  /** @type {AbortController | null} */
  #connection = null;
  /** The time of the last reconnect. */
  #resumed = -Infinity;
  #lastIds = new Set();
  /** Callbacks that wait for an event, by its id. @type {Map<string, () => void>} */
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
    this.timeline = new Timeline();
  }

  // Called by the page: connect and cut.

  connect() {
    if (this.#connection) return;
    this.#connection = new AbortController();
    this.timeline.resume();
    keepTrying(this.follow, this, this.#connection.signal);
  }

  cut() {
    this.#connection?.abort();
    this.#connection = null;
    this.timeline.cut();
    this.#setState({ name: 'cut' });
  }

  get isCut() {
    return this.#connection === null;
  }

  /** True if the lane is connected: it will receive the next event without reconnecting. */
  get isLive() {
    return ['waiting', 'open'].includes(this.state.name);
  }

  // Called by the transport when the state of the connection changes.

  connecting() {
    if (this.counts.requests > 0) this.#resumed = performance.now();
    this.#setState({ name: 'connecting' });
  }

  waiting() {
    if (this.state.name !== 'waiting') this.#setState({ name: 'waiting' });
  }

  open() {
    this.#setState({ name: 'open' });
  }

  /**
   * @param {number} delay
   * @param {string} reason
   */
  reconnecting(delay, reason) {
    this.#setState({ name: 'reconnecting', until: performance.now() + delay, reason });
  }

  /** @param {string} reason */
  ended(reason) {
    this.#setState({ name: 'ended', reason });
  }

  // Called by the transport for everything that it sends and receives.

  /** @param {number} bytes the size of the request head */
  countRequest(bytes) {
    this.counts.requests += 1;
    this.countSent(bytes);
  }

  /** @param {number} bytes */
  countSent(bytes) {
    this.counts.sent += bytes;
    this.changed = true;
  }

  /** @param {number} bytes */
  countReceived(bytes) {
    this.counts.received += bytes;
    this.changed = true;
  }

  countEmpty() {
    this.counts.empty += 1;
    this.changed = true;
  }

  addHeartbeat() {
    this.counts.heartbeats += 1;
    this.timeline.mark('heartbeat');
    this.changed = true;
  }

  /** @param {string} cursor */
  moveTo(cursor) {
    this.cursor = cursor;
  }

  /** @param {{ id: string, event: string, data: string }} event */
  addEvent(event) {
    const now = performance.now();
    this.cursor = event.id;
    this.counts.events += 1;
    this.changed = true;

    if (event.event === FILLER) {
      this.timeline.mark('filler');
      const newest = this.rows[0];
      if (newest?.kind === 'filler') {
        newest.last = event.id;
        newest.count += 1;
      } else {
        this.#addRow({ kind: 'filler', first: event.id, last: event.id, count: 1 });
      }
    } else {
      const entry = this.ledger.received(event, now);
      // The lane missed the event if the page knew of the event before this lane reconnected. If no
      // lane knew of it (all were cut, and another client published), the lane counts the event as
      // missed if it arrives right after the reconnect.
      const late = entry.firstSeen < this.#resumed || (entry.firstSeen === now && now - this.#resumed < 250);
      this.timeline.mark(late ? 'late' : 'event');
      this.#addRow({ kind: 'event', event, late, arrived: now, entry });
    }

    this.#lastIds.add(event.id);
    if (this.#lastIds.size > ROWS) this.#lastIds.delete(this.#lastIds.values().next().value);
    this.#awaited.get(event.id)?.();
  }

  /**
   * Records that the log has dropped events between the cursor and the next event.
   * @param {{ since: string, oldest: string | null }} gap
   */
  addGap({ since, oldest }) {
    this.counts.gaps += 1;
    this.timeline.mark('gap');
    this.#addRow({ kind: 'gap', since, oldest });
    this.changed = true;
  }

  /**
   * Resolves when the event has arrived, or after `timeout` milliseconds.
   * @param {string} id
   * @param {number} timeout
   * @returns {Promise<void>}
   */
  reached(id, timeout) {
    if (this.#lastIds.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#awaited.delete(id);
        resolve();
      };
      const timer = setTimeout(done, timeout);
      this.#awaited.set(id, done);
    });
  }

  /**
   * Returns the delays from publish to arrival, newest first. Includes only events that this page
   * published and that this lane did not miss.
   */
  delays() {
    return this.rows
      .filter((row) => row.kind === 'event' && !row.late && row.entry.published !== undefined)
      .map((row) => row.arrived - row.entry.published);
  }

  #setState(state) {
    this.state = state;
    this.changed = true;
  }

  /** @param {Row} row */
  #addRow(row) {
    this.rows.unshift(row);
    if (this.rows.length > ROWS) this.rows.pop();
  }
}
