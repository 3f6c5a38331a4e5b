// The dump of a passage, in rows of 16 bytes: the offset, the bytes in hexadecimal, and their text.
//
// Each field is one option of a list box, for the keyboard and for screen readers. The option is
// the field's hexadecimal part in its first row. Its other parts are hidden from screen readers.

import { TRANSPORTS } from './wire.js';
import { count } from './format.js';

/** The number of bytes in a row. */
const ROW = 16;

/**
 * @typedef {object} Field
 * @property {import('./wire.js').Span} span
 * @property {import('./wire.js').Passage} passage
 * @property {HTMLElement} option the element that takes the focus
 * @property {HTMLElement[]} parts all elements of the field
 */

/**
 * @param {import('./wire.js').Passage | import('./wire.js').Notice} passage
 * @returns {{ element: HTMLElement, fields: Field[] }}
 */
export function drawPassage(passage) {
  const element = make('div', 'passage');
  if (passage.notice) {
    element.append(make('p', 'missing', passage.notice));
    return { element, fields: [] };
  }
  element.dataset.side = passage.side;
  element.setAttribute('role', 'group');
  element.setAttribute('aria-label', passageName(passage));
  const head = make('p', 'from');
  head.setAttribute('aria-hidden', 'true');
  head.append(
    make('b', '', direction(passage.side)),
    make('span', '', `connection ${passage.connection}`),
    make('span', '', time(passage.time)),
  );
  element.append(head);
  const rows = new Rows(element);
  const fields = passage.spans.map((span) => {
    const parts = span.more === undefined ? rows.add(span) : rows.addRest(span);
    const [option] = parts;
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    option.setAttribute('aria-label', label(span));
    option.tabIndex = -1;
    for (const part of parts.slice(1)) part.setAttribute('aria-hidden', 'true');
    return { span, passage, option, parts };
  });
  return { element, fields };
}

/** @param {import('./wire.js').Passage} passage */
export function passageName({ side, connection, transport, time: ms }) {
  return `${direction(side)}, connection ${connection}, ${TRANSPORTS[transport] ?? transport}, ${time(ms)}`;
}

/** @param {'client' | 'server'} side */
export function direction(side) {
  return side === 'client' ? 'client → server' : 'server → client';
}

/** @param {number} ms */
export function time(ms) {
  return `${(ms / 1000).toFixed(3)} s`;
}

/** @param {import('./wire.js').Span} span */
export function isHidden({ hidden = [] }, at) {
  return hidden.some(({ from, to }) => from <= at && at < to);
}

/** Parses hexadecimal digits. @param {string} hex */
export function parse(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** Formats a byte as two hexadecimal digits. @param {number} byte */
export function digits(byte) {
  return byte.toString(16).padStart(2, '0');
}

/** Returns the ASCII character of a byte, or a dot if it is not printable. @param {number} byte */
export function character(byte) {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0x20 ? '\u00a0' : '·';
}

/**
 * @param {string} name
 * @param {string} [className]
 * @param {string} [text]
 */
export function make(name, className = '', text = '') {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** @param {import('./wire.js').Span} span */
function label(span) {
  if (span.more !== undefined) return `${span.field}, remaining ${count(span.more)} bytes, not shown.`;
  const wrong = span.wrong ? ` Wrong: ${span.wrong.rule}` : '';
  return `${span.field}: ${span.value}. ${span.meaning}${wrong}`;
}

class Rows {
  #hex;
  #text;
  /** The number of bytes in the current row. */
  #column = ROW;
  /** The offset after the last byte. */
  #end = -1;

  /** @param {HTMLElement} container */
  constructor(container) {
    this.container = container;
  }

  /** @param {import('./wire.js').Span} span */
  add(span) {
    const bytes = parse(span.bytes);
    if (span.offset !== this.#end) this.#column = ROW;
    this.#end = span.offset + span.length;
    const hexParts = [];
    const textParts = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#column === ROW) this.#begin(span.offset + at);
      const slice = [...bytes.subarray(at, at + ROW - this.#column)];
      const hides = (index) => isHidden(span, at + index);
      const hex = part(span, slice.map((byte, index) => (hides(index) ? '••' : digits(byte))).join(' '));
      const text = part(span, slice.map((byte, index) => (hides(index) ? '•' : character(byte))).join(''));
      this.#hex.append(...(this.#column > 0 ? [' '] : []), hex);
      this.#text.append(text);
      hexParts.push(hex);
      textParts.push(text);
      this.#column += slice.length;
      at += slice.length;
    }
    const rest = span.length - bytes.length;
    if (rest > 0) hexParts.push(this.#addLine(span, `… ${count(rest)} more bytes of this field`));
    return [...hexParts, ...textParts];
  }

  /**
   * Adds a line for the part of a long payload that the server did not send.
   * @param {import('./wire.js').Span} span
   */
  addRest(span) {
    return [this.#addLine(span, `… ${count(span.more)} more bytes of ${span.field}`)];
  }

  #addLine(span, text) {
    const line = make('div', 'rest');
    const element = part(span, text);
    line.append(element);
    this.container.append(line);
    this.#column = ROW;
    return element;
  }

  #begin(offset) {
    const row = make('div', 'row');
    const at = make('span', 'at', offset.toString(16).padStart(4, '0'));
    at.setAttribute('aria-hidden', 'true');
    this.#hex = make('span', 'hex');
    this.#text = make('span', 'text');
    row.append(at, this.#hex, this.#text);
    this.container.append(row);
    this.#column = 0;
  }
}

/**
 * @param {import('./wire.js').Span} span
 * @param {string} text
 */
function part(span, text) {
  const element = make('span', 'part', text);
  element.dataset.kind = span.kind ?? (span.data ? 'payload' : 'opaque');
  if (span.wrong) element.dataset.wrong = '';
  return element;
}
