// Short polling: ask, get a response at once, wait, and ask again.
//
// This is the simplest of the four transports, and it passes through every proxy. The cost: an
// event waits for the next poll, half an interval on average, and most polls return no events.

import { poll } from './poll.js';
import { sleep } from './retry.js';

/**
 * A response contains at most 256 KiB of events. A body of at least this size was probably cut at
 * that limit, and more events are available.
 */
const NEARLY_FULL = 128 * 1024;

/** @type {import('./retry.js').Attempt} */
export async function shortPoll(lane, signal, resetBackoff) {
  while (!signal.aborted) {
    const response = await poll(lane, undefined, signal);
    resetBackoff();
    lane.waiting();
    if (response.bytes < NEARLY_FULL) await lane.interval.elapsed(signal);
  }
}

/** The pause between two polls. Its length may change at any time, also during a pause. */
export class Interval extends EventTarget {
  ms = 1000;

  /** @param {number} ms */
  set(ms) {
    this.ms = ms;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * Resolves when the interval has elapsed. If its length changes meanwhile, the new length counts.
   * @param {AbortSignal} signal
   */
  async elapsed(signal) {
    const start = performance.now();
    let remaining = this.ms;
    while (remaining > 0 && !signal.aborted) {
      // A change ends this sleep early, and the loop computes the remaining time again.
      const changed = new AbortController();
      this.addEventListener('change', () => changed.abort(), { once: true, signal: changed.signal });
      await sleep(remaining, AbortSignal.any([signal, changed.signal]));
      changed.abort();
      remaining = start + this.ms - performance.now();
    }
  }
}
