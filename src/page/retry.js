// What all four transports share: trying again, later and later, and not all at once.

import { Refused } from './topic.js';

const FIRST = 1000;
const LONGEST = 15_000;

/**
 * @callback Attempt follows the topic until the connection is over: returns if the server ended it in order,
 * throws if it failed. A short poll never returns; a stream does when it ends.
 * @param {import('./lane.js').Lane} lane
 * @param {AbortSignal} signal
 * @param {() => void} healthy to be called when something was heard: the next failure is a first one again
 * @returns {Promise<void>}
 */

/**
 * Runs `attempt` again and again until `signal` aborts or the server refuses for good.
 *
 * The pause doubles from a second (or from what an event stream's `retry:` asked for) to 15, and is drawn by
 * chance from its upper half: a thousand clients that lost the same server must not come back in step.
 * @param {Attempt} attempt
 * @param {import('./lane.js').Lane} lane
 * @param {AbortSignal} signal
 */
export async function keepTrying(attempt, lane, signal) {
  let failures = 0;
  while (!signal.aborted) {
    lane.connecting();
    let atLeast = 0;
    let why = 'the server ended it';
    try {
      await attempt(lane, signal, () => { failures = 0; });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) {
        if (error.final) return lane.ended(error.message);
        atLeast = error.retryAfter;
      }
      why = error.message;
    }
    if (signal.aborted) return;
    const ceiling = Math.min(LONGEST, (lane.retry ?? FIRST) * 2 ** failures);
    const pause = Math.max(atLeast, ceiling * (0.5 + Math.random() / 2));
    failures += 1;
    lane.reconnecting(pause, why);
    await sleep(pause, signal);
  }
}

/**
 * Resolves after `ms`, or at once when `signal` aborts: who awaits it looks at the signal next.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over);
    if (signal.aborted) over();
  });
}
