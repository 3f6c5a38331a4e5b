// Reconnecting with increasing, random delays: the part that all four transports share.

import { ResponseError } from './topic.js';

/** The first and the longest delay, in milliseconds. */
const FIRST = 1000;
const LONGEST = 15_000;

/**
 * @callback Attempt follows the topic until the connection ends. Returns if the server ended it
 * properly, and throws if it failed. A stream returns when it ends; polling never returns.
 * @param {import('./lane.js').Lane} lane
 * @param {AbortSignal} signal
 * @param {() => void} resetBackoff to call when the server has responded: the next delay is then
 * the first one again
 * @returns {Promise<void>}
 */

/**
 * Repeats `attempt` until `signal` aborts or the server refuses permanently.
 *
 * The delay doubles from one second, or from the `retry:` of an event stream, up to 15 seconds. The
 * actual delay is random, between half of that and all of it, so that a thousand clients that lose
 * the same server do not reconnect at the same time.
 * @param {Attempt} attempt
 * @param {import('./lane.js').Lane} lane
 * @param {AbortSignal} signal
 */
export async function keepTrying(attempt, lane, signal) {
  let failures = 0;
  while (!signal.aborted) {
    lane.connecting();
    let atLeast = 0;
    let reason = 'the server closed the connection';
    try {
      await attempt(lane, signal, () => { failures = 0; });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ResponseError) {
        if (error.isPermanent) return lane.ended(error.message);
        atLeast = error.retryAfter;
      }
      reason = error.message;
    }
    if (signal.aborted) return;
    const ceiling = Math.min(LONGEST, (lane.retry ?? FIRST) * 2 ** failures);
    const delay = Math.max(atLeast, ceiling * (0.5 + Math.random() / 2));
    failures += 1;
    lane.reconnecting(delay, reason);
    await sleep(delay, signal);
  }
}

/**
 * Resolves after `ms`, or as soon as `signal` aborts. The caller checks the signal.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
    if (signal.aborted) finish();
  });
}
