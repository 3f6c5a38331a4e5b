// A lane on the page. It looks at the lane once a frame and writes down what changed, so that
// sixty thousand events in a second cost sixty drawings, not sixty thousand.

import { bytes, count, duration, median } from './format.js';

/** Longer data is shown by its beginning. */
const SHOWN = 160;
/** How often the time line is described anew to those who listen to it. */
const DESCRIBE_EVERY = 5000;

export class LaneView {
  /** @type {WeakMap<import('./lane.js').Row, HTMLElement>} */
  #items = new WeakMap();
  #described = -Infinity;

  /**
   * @param {import('./lane.js').Lane} lane
   * @param {HTMLElement} section
   * @param {import('./flood.js').Flood} flood
   * @param {(news: string) => void} tell
   */
  constructor(lane, section, flood, tell) {
    this.lane = lane;
    this.section = section;
    this.flood = flood;
    // What all four have in common stands once in index.html, as a template.
    const common = document.getElementById('lane').content.cloneNode(true);
    for (const slot of section.querySelectorAll('[data-slot]')) {
      slot.replaceWith(common.querySelector(`[data-part="${slot.dataset.slot}"]`));
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
    part('line').prepend(lane.line.svg);
    part('region').setAttribute('aria-label', `Events received by ${lane.name}, newest first`);

    this.cutButton.addEventListener('click', () => {
      if (!lane.isCut) {
        lane.cut();
        tell(`${lane.name} is cut. What is published now, it will catch up with.`);
      } else {
        flood.spare(lane);
        tell(`${lane.name} is connected again, from ${lane.cursor}.`);
      }
    });
    this.loseButton.addEventListener('click', () => {
      if (flood.isLosing(lane)) {
        flood.spare(lane);
        tell(`${lane.name} is connected again, before the log forgot.`);
      } else {
        flood.lose(lane);
        tell(`${lane.name} is cut, and filler events are published until the log forgets what it misses.`);
      }
    });
  }

  /**
   * @param {number} now
   * @param {boolean} moving whether the time line moves on, too
   */
  draw(now, moving) {
    if (moving) this.lane.line.draw(now);
    if (now - this.#described > DESCRIBE_EVERY) {
      this.#described = now;
      this.lane.line.svg.setAttribute('aria-label', this.lane.line.describe());
    }
    if (this.lane.state.name === 'reconnecting') write(this.state, this.#stateText(now));
    if (!this.lane.changed) return;
    this.lane.changed = false;

    write(this.state, this.#stateText(now));
    this.section.dataset.is = this.lane.state.name;
    const losing = this.flood.isLosing(this.lane);
    // Before the page knows where it begins there is nothing to cut, and nothing to come back to.
    this.cutButton.disabled = this.loseButton.disabled = this.lane.cursor === null;
    this.cutButton.setAttribute('aria-pressed', String(this.lane.state.name === 'cut' && !losing));
    this.loseButton.setAttribute('aria-pressed', String(losing));
    this.#drawCounts();
    this.#drawRows();
  }

  #stateText(now) {
    const { name, until, why } = this.lane.state;
    if (name === 'reconnecting') return `reconnecting in ${Math.max(1, Math.ceil((until - now) / 1000))} s · ${why}`;
    if (name === 'ended') return `ended: ${why}`;
    if (name === 'cut' && this.flood.isLosing(this.lane)) return `cut · ${count(this.flood.published)} fillers sent`;
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
      // What may still change: the delay, when the POST's answer comes after the event; a filler row's count.
      if (row.kind === 'event') write(item.querySelector('.delay'), delayText(row));
      if (row.kind === 'filler') {
        write(item.querySelector('.data'), `${count(row.count)} filler events`);
        write(item.querySelector('.id'), row.first === row.last ? row.first : `${row.first} … ${row.last}`);
        item.dataset.count = String(row.count);
      }
      return item;
    });
    // New ones are put before the first that is there already; those that dropped out of the rows go.
    const wanted = new Set(items);
    for (const item of [...this.list.children]) if (!wanted.has(item)) item.remove();
    const known = this.list.firstElementChild;
    for (const item of items) {
      if (item === known) break;
      this.list.insertBefore(item, known);
    }
  }
}

/** @param {import('./lane.js').Row} row */
function makeItem(row) {
  const item = document.createElement('li');
  item.dataset.kind = row.kind;
  if (row.kind === 'gap') {
    item.append(
      span('what', 'gap'),
      span('data', row.oldest === null ? 'Events are lost, and none is kept.' : 'Events are lost.'),
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
  const text = data.length > SHOWN ? `${data.slice(0, SHOWN)}… (${count(data.length)} characters)` : data;
  const name = event === 'message' ? [] : [span('name', event)];
  const late = row.late ? [span('late', 'caught up')] : [];
  const meta = span('meta', '');
  meta.append(...name, ...late, span('id', id), span('delay', ''));
  item.append(span('data', text), meta);
  return item;
}

/** @param {import('./lane.js').Row} row */
function delayText(row) {
  // Somebody else's: this page's clock does not know when it was published.
  if (row.entry.published === undefined) return '–';
  return duration(row.arrived - row.entry.published);
}

/**
 * @param {string} className
 * @param {string} text
 */
function span(className, text) {
  const made = document.createElement('span');
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Writes only what is new: setting the same text again would make the browser lay it out again.
 * @param {Element} where
 * @param {string} text
 */
function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
