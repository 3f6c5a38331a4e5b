// The view of a lane. It updates the page once per animation frame, so that sixty thousand events
// in a second cost sixty updates, not sixty thousand.

import { bytes, count, duration, median } from './format.js';

/** The number of characters shown of an event's data. */
const MAX_SHOWN = 160;
/** How often the text alternative of the timeline is updated, in milliseconds. */
const DESCRIBE_EVERY = 5000;

export class LaneView {
  /** @type {WeakMap<import('./lane.js').Row, HTMLElement>} */
  #items = new WeakMap();
  #described = -Infinity;

  /**
   * @param {import('./lane.js').Lane} lane
   * @param {HTMLElement} section
   * @param {import('./flood.js').Flood} flood
   * @param {(message: string) => void} announce
   */
  constructor(lane, section, flood, announce) {
    this.lane = lane;
    this.section = section;
    this.flood = flood;
    // The parts that all four lanes share are in a template in index.html.
    const shared = document.getElementById('lane').content.cloneNode(true);
    for (const slot of section.querySelectorAll('[data-slot]')) {
      slot.replaceWith(shared.querySelector(`[data-part="${slot.dataset.slot}"]`));
    }
    for (const name of section.querySelectorAll('[data-name]')) name.textContent = lane.name;
    const part = (name) => section.querySelector(`[data-${name}]`);
    this.state = part('state');
    this.list = part('events');
    this.cutButton = part('cut');
    this.loseButton = part('lose');
    this.numbers = Object.fromEntries(
      ['events', 'requests', 'empty', 'bytes', 'delay', 'each', 'share', 'ways', 'median']
        .map((name) => [name, section.querySelector(`[data-count="${name}"]`)]),
    );
    part('line').prepend(lane.timeline.svg);
    part('region').setAttribute('aria-label', `Events received by ${lane.name}, newest first`);

    this.cutButton.addEventListener('click', () => {
      if (!lane.isCut) {
        lane.cut();
        announce(`${lane.name} is cut. It will receive the events published meanwhile when it reconnects.`);
      } else {
        flood.reconnect(lane);
        announce(`${lane.name} is connected again and continues after ${lane.cursor}.`);
      }
    });
    this.loseButton.addEventListener('click', () => {
      if (flood.isLosing(lane)) {
        flood.reconnect(lane);
        announce(`${lane.name} is connected again, before the log dropped an event.`);
      } else {
        flood.lose(lane);
        announce(`${lane.name} is cut. The page publishes filler events until the log has dropped an event that the lane missed.`);
      }
    });
  }

  /**
   * @param {number} now
   * @param {boolean} moving true if the timeline moves too
   */
  draw(now, moving) {
    if (moving) this.lane.timeline.draw(now);
    if (now - this.#described > DESCRIBE_EVERY) {
      this.#described = now;
      this.lane.timeline.svg.setAttribute('aria-label', this.lane.timeline.describe());
    }
    if (this.lane.state.name === 'reconnecting') write(this.state, this.#stateText(now));
    if (!this.lane.changed) return;
    this.lane.changed = false;

    write(this.state, this.#stateText(now));
    this.section.dataset.is = this.lane.state.name;
    const losing = this.flood.isLosing(this.lane);
    // Without a cursor, the lane has no connection to cut and no position to resume from.
    this.cutButton.disabled = this.loseButton.disabled = this.lane.cursor === null;
    this.cutButton.setAttribute('aria-pressed', String(this.lane.state.name === 'cut' && !losing));
    this.loseButton.setAttribute('aria-pressed', String(losing));
    this.#drawCounts();
    this.#drawRows();
  }

  #stateText(now) {
    const { name, until, reason } = this.lane.state;
    if (name === 'reconnecting') return `reconnecting in ${Math.max(1, Math.ceil((until - now) / 1000))} s · ${reason}`;
    if (name === 'ended') return `ended: ${reason}`;
    if (name === 'cut' && this.flood.isLosing(this.lane)) return `cut · ${count(this.flood.published)} filler events sent`;
    return name;
  }

  #drawCounts() {
    const { events, requests, empty, sent, received } = this.lane.counts;
    const total = sent + received;
    const delays = this.lane.delays();
    const { numbers } = this;
    write(numbers.events, count(events));
    write(numbers.each, events ? `≈ ${bytes(total / events)} each` : '');
    write(numbers.requests, count(requests));
    write(numbers.empty, count(empty));
    write(numbers.share, empty ? `${Math.round((100 * empty) / requests)} % of them` : '');
    write(numbers.bytes, `≈ ${bytes(total)}`);
    write(numbers.ways, `↑ ${bytes(sent)} ↓ ${bytes(received)}`);
    write(numbers.delay, delays.length ? duration(delays[0]) : '–');
    write(numbers.median, delays.length ? `median ${duration(median(delays))}` : '');
  }

  #drawRows() {
    const items = this.lane.rows.map((row) => {
      let item = this.#items.get(row);
      if (!item) {
        item = makeItem(row);
        this.#items.set(row, item);
      }
      // A row can change: the delay is only known once the response to the POST has arrived, and a
      // filler row grows.
      if (row.kind === 'event') write(item.querySelector('.delay'), delayText(row));
      if (row.kind === 'filler') {
        write(item.querySelector('.data'), `${count(row.count)} filler events`);
        write(item.querySelector('.id'), row.first === row.last ? row.first : `${row.first} … ${row.last}`);
        item.dataset.count = String(row.count);
      }
      return item;
    });
    // Removes the items that are no longer in the rows, then inserts the new ones at the top.
    const current = new Set(items);
    for (const item of [...this.list.children]) if (!current.has(item)) item.remove();
    const newestShown = this.list.firstElementChild;
    for (const item of items) {
      if (item === newestShown) break;
      this.list.insertBefore(item, newestShown);
    }
  }
}

/** @param {import('./lane.js').Row} row */
function makeItem(row) {
  const item = document.createElement('li');
  item.dataset.kind = row.kind;
  if (row.kind === 'gap') {
    item.append(
      span('label', 'gap'),
      span('data', row.oldest === null ? 'Events were lost; the log is empty.' : 'Events were lost.'),
      span('id', `since ${row.since}, oldest kept ${row.oldest ?? 'none'}`),
    );
    return item;
  }
  if (row.kind === 'filler') {
    item.append(span('data', ''), span('id', ''));
    return item;
  }
  const { id, event, data } = row.event;
  item.dataset.id = id;
  if (row.late) item.dataset.late = '';
  const text = data.length > MAX_SHOWN ? `${data.slice(0, MAX_SHOWN)}… (${count(data.length)} characters)` : data;
  const name = event === 'message' ? [] : [span('name', event)];
  const late = row.late ? [span('late', 'caught up')] : [];
  const meta = span('meta', '');
  meta.append(...name, ...late, span('id', id), span('delay', ''));
  item.append(span('data', text), meta);
  return item;
}

/** @param {import('./lane.js').Row} row */
function delayText(row) {
  // If another client published the event, this page does not know when.
  if (row.entry.published === undefined) return '–';
  return duration(row.arrived - row.entry.published);
}

/**
 * @param {string} className
 * @param {string} text
 */
function span(className, text) {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * Sets the text of an element, unless it is the same: the browser would lay it out again.
 * @param {Element} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
