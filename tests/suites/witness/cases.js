// The client's part of the conversation with a conformance suite: how many cases, each case, the
// reports. It is the same for every WebSocket in JavaScript.

/** Cases that run concurrently. */
const AT_ONCE = 4;

/**
 * Runs all cases. `open` connects to a URL and returns a promise that is fulfilled when the
 * connection has closed. It echoes messages, or passes them to its second argument if there is one.
 */
export async function runCases(suite, agent, open) {
  let count = 0;
  await open(`${suite}/getCaseCount`, (text) => { count = Number(text); });
  if (!count) throw new Error(`${suite}/getCaseCount sent no number of cases`);
  let next = 1;
  const run = async () => {
    while (next <= count) await open(`${suite}/runCase?case=${next++}&agent=${agent}`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  // This request makes the suite write its report and close the connection.
  await open(`${suite}/updateReports?agent=${agent}`, () => {});
  process.exit(0);
}
