// One question and its answer: all there is to polling, short or long.
//
// The cursor lives here, in the client. Each answer brings the next one, even an empty answer, so nothing
// is lost between two questions, however long the client stays away (within what the log keeps).

import { requestHead, responseHead } from './bytes.js';
import { Refused } from './topic.js';

/**
 * Asks once, and moves the lane on by what comes back.
 * @param {import('./lane.js').Lane} lane
 * @param {number | undefined} wait seconds that the server may hold the answer; `undefined`: a short poll
 * @param {AbortSignal} signal
 * @returns {Promise<{ events: number, bytes: number }>}
 */
export async function ask(lane, wait, signal) {
  const url = lane.topic.url({ since: lane.cursor, wait });
  // The same cursor as an entity tag: if nothing is new, the answer is 304 and a head without a body.
  const headers = { ...lane.topic.headers, 'If-None-Match': `W/"${lane.cursor}"` };

  const bar = lane.line.begin();
  try {
    lane.asked(requestHead('GET', url, headers));
    const response = await fetch(url, { headers, cache: 'no-store', signal });
    lane.received(responseHead(response));
    if (response.status === 304) {
      lane.gotNothing();
      bar.end('empty');
      return { events: 0, bytes: 0 };
    }
    if (!response.ok) throw await Refused.explained(response);

    const body = await response.arrayBuffer();
    // A cut may have come while the body did. Then this answer never was: the next one starts where it did.
    signal.throwIfAborted();
    lane.received(body.byteLength);
    const { events, next, gap } = JSON.parse(new TextDecoder().decode(body));
    if (gap) lane.gap({ since: lane.cursor, oldest: events[0]?.id ?? null });
    for (const event of events) lane.event(event);
    lane.moved(next);
    if (events.length === 0) lane.gotNothing();
    bar.end(events.length === 0 ? 'empty' : 'events');
    return { events: events.length, bytes: body.byteLength };
  } finally {
    bar.end(signal.aborted ? 'cut' : 'error');
  }
}
