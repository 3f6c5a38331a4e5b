// The description of one field: its value, its meaning with the section of the specification, its
// bits, the rule that it breaks, and what the field completes (a request, a message, an event).

import { count } from './format.js';
import { character, digits, direction, isHidden, make, parse, time } from './wire-dump.js';

/**
 * @param {import('./wire-dump.js').Field} field
 * @returns {HTMLElement[]}
 */
export function describe({ span, passage }) {
  const from = make('p', 'from', `${direction(span.side)}, connection ${passage.connection}, ${time(passage.time)}`);
  if (span.more !== undefined) {
    return [from, make('p', '', `${count(span.more)} more bytes follow. Only the start of a long payload is shown.`)];
  }
  const last = span.offset + span.length - 1;
  const position = span.length === 1 ? `byte ${span.offset}` : `bytes ${span.offset}–${last} (${count(span.length)} bytes)`;
  const parts = [
    from,
    make('p', 'value', span.value),
    sentence(span.meaning, span),
  ];
  if (span.wrong) {
    const wrong = sentence(span.wrong.rule, span.wrong);
    wrong.className = 'wrong';
    wrong.prepend(make('b', '', 'Breaks a rule: '));
    parts.push(wrong);
  }
  if (span.cut_off) parts.push(make('p', 'wrong', 'The input ends within this field.'));
  if (span.bits) parts.push(bits(span));
  parts.push(pairs([
    ['position', position],
    ['kind', span.kind.replace('-', ' ')],
    ['bytes', code(hex(span.bytes, span))],
    ...(span.unmasked ? [['unmasked', code(hex(span.unmasked, span))], ['as text', code(text(span.unmasked))]] : []),
    ...(span.hidden ? [['hidden', 'This is a secret; its bytes did not leave the server.']] : []),
  ]));
  for (const note of span.notes ?? []) parts.push(...describeNote(note));
  return parts;
}

/** Describes what the field completes: a request or response, a handshake, a message, an event. */
function describeNote(note) {
  const bytes = (n) => `${count(n)} ${n === 1 ? 'byte' : 'bytes'}`;
  const titled = (title, rows) => [sentence(title, note, 'h4'), pairs(rows)];
  switch (note.note) {
    case 'request':
      return titled('The request is complete.', [['request', code(`${note.method} ${note.target}`)], ['content', bytes(note.content)]]);
    case 'response':
      return titled('The response is complete.', [['status', String(note.status)], ['content', bytes(note.content)]]);
    case 'handshake':
      return titled('The server computes Sec-WebSocket-Accept from the key.', [
        ['key', code(note.key)],
        ['key + GUID', code(note.concatenation)],
        ['SHA-1', code(note.sha1)],
        ['base64', code(note.accept)],
        ...(note.is_sent === undefined ? [] : [['sent value', note.is_sent ? 'matches' : 'does not match']]),
      ]);
    case 'message': {
      const frames = note.frames === 1 ? 'one frame' : `${count(note.frames)} frames`;
      return titled('The message is complete.', [
        ['frames', `${frames}, ${bytes(note.payload)} of payload${note.compressed ? ', compressed' : ''}`],
        ['length', bytes(note.length)],
        note.not_kept === undefined ? ['message', code(note.text ?? note.binary)] : ['not kept', note.not_kept],
      ]);
    }
    case 'event':
      return titled('The event is dispatched.', [
        ['last event ID', code(note.id)], ['type', code(note.event)], ['data', code(note.data)],
      ]);
    default:
      return [make('p', '', note.text)];
  }
}

/** @param {import('./wire.js').Span} span */
function bits(span) {
  const table = make('table', 'bits');
  table.append(make('caption', 'visually-hidden', 'The bits of this byte'));
  for (const { from, to, field, value, meaning, section, url, wrong } of span.bits) {
    const row = make('tr', wrong ? 'wrong' : '');
    const head = make('th', '', field);
    head.scope = 'row';
    const [byte] = parse(span.bytes);
    const pattern = [...byte.toString(2).padStart(8, '0')].map((bit, at) => (from <= at && at < to ? bit : '·')).join('');
    const bitCell = make('td', '', pattern);
    const meaningCell = make('td');
    meaningCell.append(sentence(`${value}: ${meaning}`, { section, url }));
    row.append(bitCell, head, meaningCell);
    table.append(row);
  }
  return table;
}

/**
 * Returns an element with a sentence and a link to its source.
 * @param {string} text
 * @param {{ section?: string, url?: string }} source
 */
function sentence(text, { section, url }, name = 'p') {
  const element = make(name, '', text);
  if (url) {
    const link = make('a', '', section);
    link.href = url;
    link.rel = 'noreferrer';
    link.target = '_blank';
    element.append(' ', link);
  }
  return element;
}

/** @param {[string, string | Node][]} rows */
function pairs(rows) {
  const list = make('dl');
  for (const [name, value] of rows) {
    const description = make('dd');
    description.append(value);
    list.append(make('dt', '', name), description);
  }
  return list;
}

/** @param {string} text */
function code(text) {
  return make('code', '', text);
}

/**
 * @param {string} bytes
 * @param {import('./wire.js').Span} span
 */
function hex(bytes, span) {
  const shown = [...parse(bytes)].map((byte, at) => (isHidden(span, at) ? '••' : digits(byte))).join(' ');
  return 2 * span.length > bytes.length ? `${shown} …` : shown;
}

/** @param {string} bytes */
function text(bytes) {
  const parsed = parse(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(parsed);
  } catch {
    return [...parsed].map(character).join('');
  }
}
