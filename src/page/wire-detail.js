// What one field is, in words: its value, its meaning and where that is written, its bits, the rule it breaks, and
// what is complete with it.

import { count } from './format.js';
import { character, digits, direction, isHidden, make, parse, time } from './wire-dump.js';

/**
 * @param {import('./wire-dump.js').Field} field
 * @returns {HTMLElement[]}
 */
export function describe({ span, passage }) {
  const from = make('p', 'from', `${direction(span.side)}, connection ${passage.connection}, ${time(passage.time)}`);
  if (span.more !== undefined) {
    return [from, make('p', '', `${count(span.more)} more bytes of it passed. A long payload is shown by its beginning.`)];
  }
  const last = span.offset + span.length - 1;
  const where = span.length === 1 ? `byte ${span.offset}` : `bytes ${span.offset}–${last}, ${count(span.length)} of them`;
  const told = [
    from,
    make('p', 'value', span.value),
    sentence(span.meaning, span),
  ];
  if (span.wrong) {
    const wrong = sentence(span.wrong.rule, span.wrong);
    wrong.className = 'wrong';
    wrong.prepend(make('b', '', 'Breaks a rule: '));
    told.push(wrong);
  }
  if (span.cut_off) told.push(make('p', 'wrong', 'What was sent ends within this field.'));
  if (span.bits) told.push(bits(span));
  told.push(pairs([
    ['where', where],
    ['kind', span.kind.replace('-', ' ')],
    ['bytes', code(hex(span.bytes, span))],
    ...(span.unmasked ? [['unmasked', code(hex(span.unmasked, span))], ['as text', code(text(span.unmasked))]] : []),
    ...(span.hidden ? [['hidden', 'A secret. Its bytes never left the server.']] : []),
  ]));
  for (const note of span.notes ?? []) told.push(...noted(note));
  return told;
}

/** The steps of a handshake, a message, an event: what is complete with this field. */
function noted(note) {
  const bytes = (n) => `${count(n)} ${n === 1 ? 'byte' : 'bytes'}`;
  const titled = (title, rows) => [sentence(title, note, 'h4'), pairs(rows)];
  switch (note.note) {
    case 'request':
      return titled('The request is complete.', [['request', code(`${note.method} ${note.target}`)], ['content', bytes(note.content)]]);
    case 'response':
      return titled('The response is complete.', [['status', String(note.status)], ['content', bytes(note.content)]]);
    case 'handshake':
      return titled('Sec-WebSocket-Accept comes from the key.', [
        ['the key', code(note.key)],
        ['with the GUID behind it', code(note.concatenation)],
        ['SHA-1 of that', code(note.sha1)],
        ['that in base64', code(note.accept)],
        ...(note.is_sent === undefined ? [] : [['what was sent', note.is_sent ? 'is that' : 'is not that']]),
      ]);
    case 'message': {
      const frames = note.frames === 1 ? 'one frame' : `${count(note.frames)} frames`;
      return titled('The message is complete.', [
        ['of', `${frames}, ${bytes(note.payload)} of payload${note.compressed ? ', compressed' : ''}`],
        ['it is', bytes(note.length)],
        note.not_kept === undefined ? ['it says', code(note.text ?? note.binary)] : ['not here', note.not_kept],
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
  table.append(make('caption', 'unseen', 'The bits of this byte'));
  for (const { from, to, field, value, meaning, section, url, wrong } of span.bits) {
    const row = make('tr', wrong ? 'wrong' : '');
    const head = make('th', '', field);
    head.scope = 'row';
    const [byte] = parse(span.bytes);
    const pattern = [...byte.toString(2).padStart(8, '0')].map((bit, at) => (from <= at && at < to ? bit : '·')).join('');
    const drawn = make('td', '', pattern);
    const said = make('td');
    said.append(sentence(`${value}: ${meaning}`, { section, url }));
    row.append(drawn, head, said);
    table.append(row);
  }
  return table;
}

/**
 * A sentence, and where it is written.
 * @param {string} said
 * @param {{ section?: string, url?: string }} written
 */
function sentence(said, { section, url }, name = 'p') {
  const made = make(name, '', said);
  if (url) {
    const link = make('a', '', section);
    link.href = url;
    link.rel = 'noreferrer';
    link.target = '_blank';
    made.append(' ', link);
  }
  return made;
}

/** @param {[string, string | Node][]} rows */
function pairs(rows) {
  const list = make('dl');
  for (const [name, value] of rows) {
    const said = make('dd');
    said.append(value);
    list.append(make('dt', '', name), said);
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
