// Long polling: ask, and let the server hold the request until there is a new event.
//
// An event arrives as fast as over a stream, yet each response is an ordinary HTTP response, which
// also passes through proxies that break or buffer streams. The cost is one request, and so two
// heads, for each delivery.

import { poll } from './poll.js';
import { sleep } from './retry.js';

/** @type {import('./retry.js').Attempt} */
export async function longPoll(lane, signal, resetBackoff) {
  while (!signal.aborted) {
    const start = performance.now();
    lane.waiting();
    const response = await poll(lane, lane.wait, signal);
    resetBackoff();
    // The next poll starts at once: events published in between are in the log, after the cursor.
    // A server that does not hold the request (it may be shutting down) must not be polled in a
    // tight loop.
    if (response.events === 0 && performance.now() - start < 500) await sleep(1000, signal);
  }
}
