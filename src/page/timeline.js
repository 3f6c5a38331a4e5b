// The timeline of a lane: the last 30 seconds. Time runs to the right, and the right edge is "now".
//
// Each item is drawn once, at a fixed position on a group that has no end. To move the timeline,
// the page only changes the group's `transform`, once per frame. page.css defines all colors, so
// this module does not depend on light, dark or forced colors.

/** The time shown, in milliseconds. */
const SPAN = 30_000;
/** Marks of one kind that are closer than this, in milliseconds, are drawn as one larger mark. */
const MERGE_WITHIN = 60;

/** Distances from the top: the heads of event marks, the request bars, the marks of sent messages. */
const HEAD = 8;
const BAR = { top: 24, height: 14 };
const SENT = 52;
const HEIGHT = 60;

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {object} Item
 * @property {SVGElement} element
 * @property {'bar' | 'cut' | 'mark'} type
 * @property {string} kind
 * @property {number} start
 * @property {number | null} end `null` until the item ends
 * @property {number} count the number of merged marks
 */

export class Timeline {
  /** Oldest first. @type {Item[]} */
  #items = [];
  /** The newest mark of each kind. @type {Map<string, Item>} */
  #newest = new Map();
  #origin = performance.now();
  #width = 0;
  #group = svgElement('g', {});

  constructor() {
    this.svg = svgElement('svg', { class: 'timeline', role: 'img', height: HEIGHT });
    this.svg.append(svgElement('line', { class: 'base', x1: 0, x2: '100%', y1: middle(), y2: middle() }), this.#group);
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#items.forEach((item) => this.#place(item, performance.now()));
    }).observe(this.svg);
  }

  /**
   * Adds the bar of a request. The bar grows until the response is complete.
   * @returns {{ end: (outcome: 'empty' | 'events' | 'error' | 'cut') => void }}
   */
  begin() {
    const bar = svgElement('g', { class: 'bar held' });
    bar.append(
      svgElement('rect', { class: 'body', y: BAR.top, height: BAR.height }),
      svgElement('line', { class: 'request', y1: BAR.top, y2: BAR.top + BAR.height }),
      svgElement('line', { class: 'response', y1: BAR.top, y2: BAR.top + BAR.height }),
    );
    const item = this.#add('bar', 'held', bar, null);
    return {
      end: (outcome) => {
        if (item.end !== null) return; // only the first outcome counts
        this.#finish(item);
        item.kind = outcome;
        bar.setAttribute('class', `bar ${outcome}`);
      },
    };
  }

  /** @param {'event' | 'late' | 'filler' | 'sent' | 'heartbeat' | 'gap'} kind */
  mark(kind) {
    const now = performance.now();
    const before = this.#newest.get(kind);
    if (before && now - before.start < MERGE_WITHIN) {
      before.count += 1; // draw() enlarges the mark; this path has to be fast, for floods of events
      return;
    }
    const mark = svgElement('g', { class: `mark ${kind}` });
    if (kind === 'heartbeat') {
      mark.append(svgElement('line', { y1: middle() - 3, y2: middle() + 3 }));
    } else if (kind === 'filler') {
      mark.append(svgElement('line', { y1: BAR.top, y2: BAR.top + BAR.height }));
    } else if (kind === 'sent') {
      mark.append(
        svgElement('line', { y1: middle(), y2: SENT - 3 }),
        svgElement('rect', { x: -3, y: SENT - 3, width: 6, height: 6 }),
      );
    } else if (kind === 'gap') {
      mark.append(
        svgElement('line', { y1: 0, y2: HEIGHT }),
        svgElement('rect', { x: -30, y: 0, width: 30, height: 15 }),
        svgElement('text', { x: -15, y: 11, 'text-anchor': 'middle' }, 'gap'),
      );
    } else {
      mark.append(
        svgElement('line', { y1: HEAD, y2: BAR.top + BAR.height }),
        svgElement('circle', { cy: HEAD }),
      );
    }
    this.#newest.set(kind, this.#add('mark', kind, mark, now));
  }

  /** Adds a dashed bar, which grows until resume(). */
  cut() {
    if (this.#items.some((item) => item.type === 'cut' && item.end === null)) return;
    this.#add('cut', 'cut', svgElement('rect', { class: 'cut', y: BAR.top, height: BAR.height }), null);
  }

  resume() {
    for (const item of this.#items) {
      if (item.type === 'cut' && item.end === null) this.#finish(item);
    }
  }

  /** @param {number} now */
  draw(now) {
    this.#items = this.#items.filter((item) => {
      const isVisible = item.end === null || item.end > now - SPAN - 2000;
      if (!isVisible) item.element.remove();
      else if (item.end === null) this.#place(item, now);
      return isVisible;
    });
    for (const mark of this.#newest.values()) this.#place(mark, now);
    this.#group.setAttribute('transform', `translate(${(this.#width - this.#x(now)).toFixed(2)})`);
  }

  /** Describes the timeline in words, for screen readers. */
  describe() {
    const since = performance.now() - SPAN;
    const visible = this.#items.filter((item) => item.end === null || item.end > since);
    const count = (type, kind) => visible
      .filter((item) => item.type === type && item.kind === kind)
      .reduce((sum, item) => sum + item.count, 0);
    const parts = [
      `${visible.filter(({ type }) => type === 'bar').length} requests`,
      `${count('bar', 'empty')} with an empty response`,
      `${count('bar', 'held')} held open`,
      `${count('mark', 'event')} events`,
      `${count('mark', 'late')} caught up`,
      `${count('mark', 'filler')} filler`,
      `${count('mark', 'sent')} sent`,
      `${count('cut', 'cut')} cuts`,
      `${count('mark', 'gap')} gaps`,
    ];
    return `The last 30 seconds: ${parts.filter((part) => !part.startsWith('0 ')).join(', ') || 'nothing yet'}.`;
  }

  /**
   * @param {Item['type']} type
   * @param {string} kind
   * @param {SVGElement} element
   * @param {number | null} end
   */
  #add(type, kind, element, end) {
    const now = performance.now();
    const item = { element, type, kind, start: now, end, count: 1 };
    this.#items.push(item);
    this.#group.append(element);
    this.#place(item, now);
    return item;
  }

  /** @param {Item} item */
  #finish(item) {
    item.end = performance.now();
    this.#place(item, item.end);
  }

  /**
   * @param {Item} item
   * @param {number} now
   */
  #place(item, now) {
    const x = this.#x(item.start);
    if (item.type === 'mark') {
      item.element.setAttribute('transform', `translate(${x.toFixed(2)})`);
      // The size of a merged mark shows its order of magnitude.
      item.element.querySelector('circle')?.setAttribute('r', String(3.5 + Math.log10(item.count)));
      return;
    }
    const width = Math.max(0, this.#x(item.end ?? now) - x).toFixed(2);
    if (item.type === 'cut') {
      item.element.setAttribute('x', x.toFixed(2));
      item.element.setAttribute('width', width);
      return;
    }
    const [body, , response] = item.element.children;
    item.element.setAttribute('transform', `translate(${x.toFixed(2)})`);
    body.setAttribute('width', width);
    response.setAttribute('transform', `translate(${width})`);
  }

  /** @param {number} time */
  #x(time) {
    return ((time - this.#origin) / SPAN) * this.#width;
  }
}

function middle() {
  return BAR.top + BAR.height / 2;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function svgElement(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text) element.textContent = text;
  return element;
}
