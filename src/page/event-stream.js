// A parser for event streams (HTML Standard §9.2.6 "Interpreting an event stream").
//
// Applications should use the browser's own parser, EventSource:
//
//     const source = new EventSource('/topics/demo');
//     source.onmessage = ({ lastEventId, data }) => …;
//     source.addEventListener('price', …);       // one listener for each event name
//
// This page parses the stream itself because EventSource hides what the page shows: the number of
// bytes, the heartbeats, and events with any name (EventSource drops an event without a listener).
// The page also resumes after a cut with its own Last-Event-ID, which a new EventSource cannot do.

/**
 * @typedef {object} Block the lines between two blank lines
 * @property {string} event the event's name; `message` if the block has no name
 * @property {string | undefined} data `undefined` if the block has no `data:` field; it is not an
 * event then
 * @property {string | undefined} id
 * @property {number | undefined} retry milliseconds
 * @property {boolean} comment true if a line starts with a colon, as a heartbeat does
 */

export class EventStreamParser {
  #incompleteLine = '';
  #started = false;
  #lines = [];

  /**
   * Parses the next part of the stream, which may be cut anywhere.
   * @param {string} chunk decoded text
   * @returns {Block[]} the blocks that are now complete
   */
  push(chunk) {
    let text = this.#incompleteLine + chunk;
    if (!this.#started && text !== '') {
      this.#started = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1); // the stream may start with one byte order mark
    }
    // Lines end with CRLF, CR or LF. A CR at the end of the text may be the first half of a CRLF,
    // so its line stays incomplete until the next chunk.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#incompleteLine = lines.pop();

    const blocks = [];
    for (const line of lines) {
      if (line !== '') {
        this.#lines.push(line);
      } else if (this.#lines.length > 0) {
        blocks.push(parseBlock(this.#lines));
        this.#lines = [];
      }
    }
    // A block that is incomplete when the stream ends is dropped: the client requests it again.
    return blocks;
  }
}

/**
 * @param {string[]} lines
 * @returns {Block}
 */
function parseBlock(lines) {
  /** @type {Block} */
  const block = { event: '', data: undefined, id: undefined, retry: undefined, comment: false };
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon === 0) {
      block.comment = true;
      continue;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);

    if (field === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (field === 'event') block.event = value;
    else if (field === 'id' && !value.includes('\0')) block.id = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) block.retry = Number(value);
    // The standard ignores all other fields.
  }
  block.event ||= 'message';
  return block;
}
