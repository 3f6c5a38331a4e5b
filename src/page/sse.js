// Server-Sent Events: ask once. The response never ends, and each event adds a few lines to it.
//
// This is plain HTTP, so everything in HTTP works: compression, authorization, many streams on one
// HTTP/2 connection. The stream has one direction; to publish, the page sends an ordinary POST.

import { CHUNK_FRAME, requestHead, responseHead } from './bytes.js';
import { EventStreamParser } from './event-stream.js';
import { ResponseError } from './topic.js';

/** @type {import('./retry.js').Attempt} */
export async function serverSentEvents(lane, signal, resetBackoff) {
  const url = lane.topic.url();
  const headers = {
    ...lane.topic.headers,
    Accept: 'text/event-stream',
    // EventSource sends this field by itself when it reconnects, so that no event is lost.
    'Last-Event-ID': lane.cursor,
  };

  const bar = lane.timeline.begin();
  try {
    lane.countRequest(requestHead('GET', url, headers));
    const response = await fetch(url, { headers, cache: 'no-store', signal });
    lane.countReceived(responseHead(response));
    const type = response.headers.get('Content-Type') ?? '';
    if (response.status !== 200 || !type.startsWith('text/event-stream')) throw await ResponseError.withDetail(response);
    lane.open();

    const parser = new EventStreamParser();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // the parser handles the byte order mark
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      lane.countReceived(value.length);
      for (const block of parser.push(decoder.decode(value, { stream: true }))) {
        lane.countReceived(CHUNK_FRAME); // this server sends each block in its own chunk
        handleBlock(lane, block);
        // The head alone does not prove success: an overloaded server sends 200 and `retry:`, and
        // closes the stream.
        if (block.id !== undefined) resetBackoff();
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
function handleBlock(lane, block) {
  if (block.retry !== undefined) lane.retry = block.retry;
  if (block.comment) lane.addHeartbeat();
  if (block.data === undefined) {
    // The first block has an id and no data, so that even a stream without events can be resumed.
    if (block.id !== undefined) lane.moveTo(block.id);
  } else if (block.event === 'gap') {
    lane.addGap(JSON.parse(block.data));
    lane.moveTo(block.id);
  } else {
    lane.addEvent({ id: block.id, event: block.event, data: block.data });
  }
}
