// One poll, short or long: a request and its response.
//
// The client holds the cursor. Each response contains the next cursor, even if it contains no
// events, so no event is lost between two polls, as long as the log still keeps it.

import { requestHead, responseHead } from './bytes.js';
import { ResponseError } from './topic.js';

/**
 * Polls once, and moves the lane's cursor to the end of the response.
 * @param {import('./lane.js').Lane} lane
 * @param {number | undefined} wait seconds that the server may hold the request; `undefined` for a
 * short poll
 * @param {AbortSignal} signal
 * @returns {Promise<{ events: number, bytes: number }>} the number of events, and the size of the
 * body
 */
export async function poll(lane, wait, signal) {
  const url = lane.topic.url({ since: lane.cursor, wait });
  // The cursor is also an entity tag. Without new events, the response is 304 and has no body.
  const headers = { ...lane.topic.headers, 'If-None-Match': `W/"${lane.cursor}"` };

  const bar = lane.timeline.begin();
  try {
    lane.countRequest(requestHead('GET', url, headers));
    const response = await fetch(url, { headers, cache: 'no-store', signal });
    lane.countReceived(responseHead(response));
    if (response.status === 304) {
      lane.countEmpty();
      bar.end('empty');
      return { events: 0, bytes: 0 };
    }
    if (!response.ok) throw await ResponseError.withDetail(response);

    const body = await response.arrayBuffer();
    // The lane may have been cut while the body arrived. The response is then ignored, and the next
    // poll starts from the same cursor.
    signal.throwIfAborted();
    lane.countReceived(body.byteLength);
    const { events, next, gap } = JSON.parse(new TextDecoder().decode(body));
    if (gap) lane.addGap({ since: lane.cursor, oldest: events[0]?.id ?? null });
    for (const event of events) lane.addEvent(event);
    lane.moveTo(next);
    if (events.length === 0) lane.countEmpty();
    bar.end(events.length === 0 ? 'empty' : 'events');
    return { events: events.length, bytes: body.byteLength };
  } finally {
    bar.end(signal.aborted ? 'cut' : 'error');
  }
}
