// Short polling: ask, be answered at once, wait, ask again.
//
// The simplest of the four, and it works through anything. Its price: an event waits for the next
// question, half the interval on average, and most questions are asked for nothing.

import { ask } from './poll.js';
import { sleep } from './retry.js';

/** An answer holds at most 256 KiB of events. One this full was probably ended by that: there is more. */
const NEARLY_FULL = 128 * 1024;

/** @type {import('./retry.js').Attempt} */
export async function shortPoll(lane, signal, healthy) {
  while (!signal.aborted) {
    const answer = await ask(lane, undefined, signal);
    healthy();
    lane.waiting();
    if (answer.bytes < NEARLY_FULL) await lane.interval.over(signal);
  }
}

/** The pause between two questions. It may be changed at any time, also while it runs. */
export class Interval extends EventTarget {
  ms = 1000;

  /** @param {number} ms */
  set(ms) {
    this.ms = ms;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * Waits until it is over, by the length that it has then.
   * @param {AbortSignal} signal
   */
  async over(signal) {
    const began = performance.now();
    let left = this.ms;
    while (left > 0 && !signal.aborted) {
      // A change ends this sleep early, and the loop works out anew what is left.
      const changed = new AbortController();
      this.addEventListener('change', () => changed.abort(), { once: true, signal: changed.signal });
      await sleep(left, AbortSignal.any([signal, changed.signal]));
      changed.abort();
      left = began + this.ms - performance.now();
    }
  }
}
