// The event stream format, read as the HTML Standard says (§9.2.6 "Interpreting an event stream").
//
// The browser has a reader of its own, EventSource, and an application should use it:
//
//     const source = new EventSource('/topics/demo');
//     source.onmessage = ({ lastEventId, data }) => …;
//     source.addEventListener('price', …);       // one listener for each event name
//
// This page reads the stream itself to show what EventSource hides: how many bytes came, the heartbeats, each event
// whatever its name (EventSource drops those that nobody listens to), and to come back after a
// cut with the Last-Event-ID it had, which a new EventSource cannot be given.

/**
 * @typedef {object} Block what stands between two blank lines
 * @property {string} event its name, `message` if none was given
 * @property {string | undefined} data `undefined`: no `data:` field, so no event
 * @property {string | undefined} id
 * @property {number | undefined} retry milliseconds
 * @property {boolean} comment it holds a line that begins with a colon: a heartbeat
 */

export class EventStreamParser {
  #rest = '';
  #started = false;
  #lines = [];

  /**
   * Takes the next piece, cut anywhere, and gives the blocks that it completes.
   * @param {string} piece decoded text
   * @returns {Block[]}
   */
  push(piece) {
    let text = this.#rest + piece;
    if (!this.#started && text !== '') {
      this.#started = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1); // one byte order mark may lead the stream
    }
    // Lines end with CRLF, CR or LF. A CR at the very end may be half of a CRLF: it waits for the next piece.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();

    const blocks = [];
    for (const line of lines) {
      if (line !== '') {
        this.#lines.push(line);
      } else if (this.#lines.length > 0) {
        blocks.push(readBlock(this.#lines));
        this.#lines = [];
      }
    }
    return blocks; // What the stream's end finds unfinished is never given out: the client asks for it again.
  }
}

/**
 * @param {string[]} lines
 * @returns {Block}
 */
function readBlock(lines) {
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
    // Any other field is ignored.
  }
  block.event ||= 'message';
  return block;
}
