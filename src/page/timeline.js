// A lane's last half minute, drawn as it happens. Time runs to the right; "now" is the right edge.
//
// Each thing is drawn once, at its place on an endless ribbon; what moves is the ribbon, by one attribute a
// frame. How things look is up to page.css, so light, dark and forced colours need nothing here.

/** How much time is in sight. */
const SPAN = 30_000;
/** Marks of one kind closer than this are drawn as one, larger. */
const TOGETHER = 60;

/** Heights, from the top: the heads of events, the bars of requests, what the client sends. */
const HEAD = 8;
const BAR = { top: 24, height: 14 };
const SENT = 52;
const FULL = 60;

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {object} Item
 * @property {SVGElement} element
 * @property {'bar' | 'cut' | 'mark'} type
 * @property {string} kind
 * @property {number} start
 * @property {number | null} end `null`: still going on
 * @property {number} count of a mark: how many it stands for
 */

export class Timeline {
  /** Oldest first. @type {Item[]} */
  #items = [];
  /** The newest mark of each kind. @type {Map<string, Item>} */
  #newest = new Map();
  #origin = performance.now();
  #width = 0;
  #ribbon = element('g', {});

  constructor() {
    this.svg = element('svg', { class: 'timeline', role: 'img', height: FULL });
    this.svg.append(element('line', { class: 'base', x1: 0, x2: '100%', y1: middle(), y2: middle() }), this.#ribbon);
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#items.forEach((item) => this.#place(item, performance.now()));
    }).observe(this.svg);
  }

  /**
   * A request goes out; its bar grows until the answer ends it.
   * @returns {{ end: (outcome: 'empty' | 'events' | 'error' | 'cut') => void }}
   */
  begin() {
    const bar = element('g', { class: 'bar held' });
    bar.append(
      element('rect', { class: 'body', y: BAR.top, height: BAR.height }),
      element('line', { class: 'question', y1: BAR.top, y2: BAR.top + BAR.height }),
      element('line', { class: 'answer', y1: BAR.top, y2: BAR.top + BAR.height }),
    );
    const item = this.#add('bar', 'held', bar, null);
    return {
      end: (outcome) => {
        if (item.end !== null) return; // the first word counts
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
    if (before && now - before.start < TOGETHER) {
      before.count += 1; // its head grows when it is drawn next: here a flood passes
      return;
    }
    const mark = element('g', { class: `mark ${kind}` });
    if (kind === 'heartbeat') {
      mark.append(element('line', { y1: middle() - 3, y2: middle() + 3 }));
    } else if (kind === 'filler') {
      mark.append(element('line', { y1: BAR.top, y2: BAR.top + BAR.height }));
    } else if (kind === 'sent') {
      mark.append(
        element('line', { y1: middle(), y2: SENT - 3 }),
        element('rect', { x: -3, y: SENT - 3, width: 6, height: 6 }),
      );
    } else if (kind === 'gap') {
      mark.append(
        element('line', { y1: 0, y2: FULL }),
        element('rect', { x: -30, y: 0, width: 30, height: 15 }),
        element('text', { x: -15, y: 11, 'text-anchor': 'middle' }, 'gap'),
      );
    } else {
      mark.append(
        element('line', { y1: HEAD, y2: BAR.top + BAR.height }),
        element('circle', { cy: HEAD }),
      );
    }
    this.#newest.set(kind, this.#add('mark', kind, mark, now));
  }

  /** The lane is cut: a broken line until it is resumed. */
  cut() {
    if (this.#items.some((item) => item.type === 'cut' && item.end === null)) return;
    this.#add('cut', 'cut', element('rect', { class: 'absence', y: BAR.top, height: BAR.height }), null);
  }

  resume() {
    for (const item of this.#items) {
      if (item.type === 'cut' && item.end === null) this.#finish(item);
    }
  }

  /** @param {number} now */
  draw(now) {
    this.#items = this.#items.filter((item) => {
      const inSight = item.end === null || item.end > now - SPAN - 2000;
      if (!inSight) item.element.remove();
      else if (item.end === null) this.#place(item, now);
      return inSight;
    });
    for (const mark of this.#newest.values()) this.#place(mark, now);
    this.#ribbon.setAttribute('transform', `translate(${(this.#width - this.#x(now)).toFixed(2)})`);
  }

  /** The picture in words, for those who do not see it. */
  describe() {
    const since = performance.now() - SPAN;
    const seen = this.#items.filter((item) => item.end === null || item.end > since);
    const count = (type, kind) => seen
      .filter((item) => item.type === type && item.kind === kind)
      .reduce((sum, item) => sum + item.count, 0);
    const parts = [
      `${seen.filter(({ type }) => type === 'bar').length} requests`,
      `${count('bar', 'empty')} answered with nothing`,
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
    this.#ribbon.append(element);
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
      // A burst's head grows by its order of magnitude.
      item.element.querySelector('circle')?.setAttribute('r', String(3.5 + Math.log10(item.count)));
      return;
    }
    const width = Math.max(0, this.#x(item.end ?? now) - x).toFixed(2);
    if (item.type === 'cut') {
      item.element.setAttribute('x', x.toFixed(2));
      item.element.setAttribute('width', width);
      return;
    }
    const [body, , answer] = item.element.children;
    item.element.setAttribute('transform', `translate(${x.toFixed(2)})`);
    body.setAttribute('width', width);
    answer.setAttribute('transform', `translate(${width})`);
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
function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text) made.textContent = text;
  return made;
}
