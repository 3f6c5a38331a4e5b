// Server-Sent Events: ask once; the answer never ends, and each event is a few more lines of it.
//
// Plain HTTP, so everything that HTTP has (compression, authorization, HTTP/2's many streams on one
// connection) works. One way only: to say something the page makes an ordinary POST.

import { CHUNK_FRAME, requestHead, responseHead } from './bytes.js';
import { EventStreamParser } from './event-stream.js';
import { Refused } from './topic.js';

/** @type {import('./retry.js').Attempt} */
export async function serverSentEvents(lane, signal, healthy) {
  const url = lane.topic.url();
  const headers = {
    ...lane.topic.headers,
    Accept: 'text/event-stream',
    // What EventSource sends by itself when it comes back: the reason why nothing is lost.
    'Last-Event-ID': lane.cursor,
  };

  const bar = lane.line.begin();
  try {
    lane.asked(requestHead('GET', url, headers));
    const response = await fetch(url, { headers, cache: 'no-store', signal });
    lane.received(responseHead(response));
    const type = response.headers.get('Content-Type') ?? '';
    if (response.status !== 200 || !type.startsWith('text/event-stream')) throw await Refused.explained(response);
    lane.open();

    const parser = new EventStreamParser();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // the parser looks for it
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      lane.received(value.length);
      for (const block of parser.push(decoder.decode(value, { stream: true }))) {
        lane.received(CHUNK_FRAME); // this server sends one block in one chunk
        take(lane, block);
        // Not already at the head: an overloaded server says 200, `retry:`, and ends, which is no success.
        if (block.id !== undefined) healthy();
      }
    }
  } finally {
    bar.end(signal.aborted ? 'cut' : 'error');
  }
}

/**
 * @param {import('./lane.js').Lane} lane
 * @param {import('./event-stream.js').Block} block
 */
function take(lane, block) {
  if (block.retry !== undefined) lane.retry = block.retry;
  if (block.comment) lane.heartbeat();
  if (block.data === undefined) {
    // The opening block: an id without data. Even a stream that has brought no event yet can be resumed.
    if (block.id !== undefined) lane.moved(block.id);
  } else if (block.event === 'gap') {
    lane.gap(JSON.parse(block.data));
    lane.moved(block.id);
  } else {
    lane.event({ id: block.id, event: block.event, data: block.data });
  }
}
