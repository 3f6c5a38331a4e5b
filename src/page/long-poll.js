// Long polling: ask, and let the server hold the answer until there is something to say.
//
// An event arrives as fast as over a stream, yet each is an ordinary answer to an ordinary request: proxies
// that break or buffer everything else let it through. Its price: a request and two heads for each delivery.

import { ask } from './poll.js';
import { sleep } from './retry.js';

/** @type {import('./retry.js').Attempt} */
export async function longPoll(lane, signal, healthy) {
  while (!signal.aborted) {
    const began = performance.now();
    lane.waiting();
    const answer = await ask(lane, lane.wait, signal);
    healthy();
    // Ask again at once: whatever is published in between waits in the log behind the cursor. But a server
    // that answers "nothing" without holding (it may be shutting down) must not be asked in a tight loop.
    if (answer.events === 0 && performance.now() - began < 500) await sleep(1000, signal);
  }
}
