// Measures the three chats, and prints the table. See `run` for the arguments.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Member } from './client.js';
import { CHATS, Server, linesOfCode } from './servers.js';

const ROOT = new URL('../../../', import.meta.url);
const PAGE = new URL('docs/chat-compared.md', ROOT);
const TABLE = new URL('table.md', import.meta.url);
const BETWEEN = /(?<=<!-- table -->\n).*?(?=<!-- end of the table -->)/s;

/** The flood: so many messages of so many bytes, and how many the reader has not received yet. */
const FLOOD = 20_000;
const BYTES = 5000;
const IN_FLIGHT = 32;
/** The messages that are sent at once to a client that reads. */
const BURST = 1000;
/** How many milliseconds a silent client is waited for: `14_chat` needs 10 seconds. */
const SILENCE = 15_000;
/** The most MiB that a client which does not read may add to the memory of `14_chat`. */
const SLOW_CLIENT = 32;
/** The most MiB that the log may take: 64 of events, 64 of encoded events, and the allocator's. */
const LOG = 192;

/** Waits until a member has received a text that another one says now. */
async function exchange(from, to, text) {
  from.say(text);
  await to.until(() => to.texts.includes(text), `${text} arrives`);
}

/** What a client receives that was away. */
async function measureReturn(chat) {
  let server = await Server.start(chat);
  const [ann, bob] = [await Member.join(server, 'tea', 'Ann'), await Member.join(server, 'tea', 'Bob')];
  for (let n = 0; n < 10; n += 1) await exchange(ann, bob, `before ${n}`);
  await bob.vanish();
  await ann.until(() => ann.changes.includes('left Bob'), 'Bob leaves');
  for (let n = 0; n < 10; n += 1) await exchange(ann, ann, `missed ${n}`);
  const since = () => (chat.resumes ? bob.cursor : undefined);
  const again = await Member.join(server, 'tea', 'Bob', { since: since() });
  const newcomer = await Member.join(server, 'tea', 'Cid');
  await Promise.all([again.untilQuiet(500), newcomer.untilQuiet(500)]);

  const { port } = server;
  await server.kill();
  server = await Server.start(chat, port);
  const restarted = await Member.join(server, 'tea', 'Bob', { since: since() });
  await restarted.untilQuiet(500);
  await restarted.vanish();
  await server.kill();
  return { returned: again.said, newcomer: newcomer.said, isTold: restarted.hasGap };
}

/** How many messages of a burst a client receives that reads all the time. */
async function measureBurst(chat) {
  const server = await Server.start(chat);
  const [ann, bob] = [await Member.join(server, 'tea', 'Ann'), await Member.join(server, 'tea', 'Bob')];
  for (let n = 0; n < BURST; n += 1) ann.say(`${n} ${'x'.repeat(100)}`);
  await bob.untilQuiet(2000);
  const isWhole = bob.texts.every((text, index) => text.startsWith(`${index} `));
  const result = { received: bob.said, isWhole, closed: bob.closed };
  await server.kill();
  return result;
}

/** After how many seconds a client that is silent, but not disconnected, is announced to have left. */
async function measureSilence(chat) {
  const server = await Server.start(chat);
  const [ann, bob] = [await Member.join(server, 'tea', 'Ann'), await Member.join(server, 'tea', 'Bob')];
  const began = performance.now();
  bob.socket.pause();
  while (!ann.changes.includes('left Bob') && performance.now() - began < SILENCE) await sleep(20);
  const seconds = (performance.now() - began) / 1000;
  await server.kill();
  return ann.changes.includes('left Bob') ? seconds : undefined;
}

/**
 * A flood in a room, with or without a client that does not read. The sender waits for itself and for
 * the reader, so that no chat has to hold more than a few messages for them.
 */
async function measureFlood(chat, isStalled, messages = FLOOD) {
  const server = await Server.start(chat);
  const sent = new Float64Array(messages);
  let [longest, wake] = [0, () => {}];
  const sender = await Member.join(server, 'tea', 'Ann', { keepsTexts: false, onText: () => wake() });
  const onText = (text) => {
    longest = Math.max(longest, performance.now() - sent[Number.parseInt(text, 10)]);
    wake();
  };
  const reader = await Member.join(server, 'tea', 'Bob', { keepsTexts: false, onText });
  const slow = isStalled ? await Member.join(server, 'tea', 'Slow') : undefined;
  slow?.socket.pause();
  const before = server.memory().now;
  const filling = 'x'.repeat(BYTES - 10);
  const hasEnded = () => sender.closed || reader.closed;
  const began = performance.now();
  for (let n = 0; n < messages && !hasEnded(); n += 1) {
    while (n - Math.min(sender.said, reader.said) >= IN_FLIGHT && !hasEnded()) {
      await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 100); });
    }
    sent[n] = performance.now();
    sender.say(`${n} ${filling}`);
  }
  await reader.untilQuiet(500);
  const seconds = (performance.now() - began) / 1000;
  const result = { seconds, longest, grown: server.memory().peak - before, isCut: Boolean(hasEnded()), received: reader.said };
  if (slow) {
    slow.socket.resume();
    await slow.untilQuiet(1000);
    Object.assign(result, { slow: slow.said, closed: slow.closed });
    await slow.vanish();
    const returned = await Member.join(server, 'tea', 'Slow 2', { since: chat.resumes ? slow.cursor : undefined });
    await returned.untilQuiet(1000);
    Object.assign(result, { slowReturned: returned.said, isTold: returned.hasGap });
  }
  await server.kill();
  return result;
}

/** Returns how many lines of the page resume after the last message, or report a gap. */
function linesThatResume(path) {
  const code = readFileSync(new URL(path, ROOT), 'utf8').split('<script>')[1];
  return code.split('\n').filter((line) => !line.trim().startsWith('//') && /cursor|\.gap/.test(line)).length;
}

async function measure(chat) {
  const log = (what) => console.error(`${chat.name}: ${what}`);
  const result = { chat, lines: linesOfCode(chat.source) };
  log('a client that returns');
  Object.assign(result, await measureReturn(chat));
  log('a burst');
  result.burst = await measureBurst(chat);
  log('a flood');
  result.calm = await measureFlood(chat, false);
  result.stalled = await measureFlood(chat, true);
  result.longer = await measureFlood(chat, true, 2 * FLOOD);
  return result;
}

const count = (value) => value.toLocaleString('en-US');
const mebibytes = ({ grown }) => `${grown.toFixed(0)} MiB`;
const isComplete = ({ slow, slowReturned }) => slow + slowReturned === FLOOD;
const yes = (value) => (value ? 'yes' : 'no');
const end = (closed) => {
  if (!closed) return 'stays connected';
  return closed.code === 1006 ? 'is cut off without a reason' : `is closed with ${closed.code}, “${closed.reason}”`;
};

/** The rows: what is measured, the cell of one chat, and whether a further run must find the same. */
const ROWS = [
  ['lines of code of the server, without the page', ({ lines }) => count(lines), true],
  ['lines of the page that resume and report gaps', ({ chat }) => (chat.page ? count(linesThatResume(chat.page)) : '–'), true],
  ['a newcomer receives, of 20 earlier messages', ({ newcomer }) => count(newcomer), true],
  ['a client that returns receives, of 10 missed messages', ({ returned }) => count(returned), true],
  ['after a restart, a client that returns is told that messages are missing', ({ isTold }) => yes(isTold), true],
  ['a silent client is gone from the list', ({ silence }) => (silence ? `after ${silence.toFixed(0)} s` : `not within ${SILENCE / 1000} s`), false],
  [`a client that reads receives, of ${count(BURST)} messages sent at once`, ({ burst }) => `${count(burst.received)}, and ${end(burst.closed)}`, false],
  [`${count(FLOOD)} messages of ${count(BYTES)} bytes: memory grows by`, ({ calm }) => mebibytes(calm), false],
  ['the same, if one client does not read', ({ stalled }) => mebibytes(stalled), false],
  [`the same, with ${count(2 * FLOOD)} messages`, ({ longer }) => mebibytes(longer), false],
  ['longest delay of a message to the others', ({ calm }) => `${calm.longest.toFixed(0)} ms`, false],
  ['the same, if one client does not read', ({ stalled }) => `${stalled.longest.toFixed(0)} ms`, false],
  [`that client reads again after ${count(FLOOD)} messages, receives`, ({ stalled }) => `${count(stalled.slow)}, and ${end(stalled.closed)}`, false],
  ['it returns, and receives further', ({ stalled }) => count(stalled.slowReturned), false],
  ['it is told that messages are missing', ({ stalled }) => (isComplete(stalled) ? 'none is missing' : yes(stalled.isTold)), false],
];

const line = (cells) => `| ${cells.join(' | ')} |`;
const rowsOf = (results) => ROWS.map(([title, cell]) => line([title, ...results.map(cell)]));
const tableOf = (results) => [
  line(['', ...results.map(({ chat }) => chat.name)]).replace('|  |', '| |'),
  line(['---', ...results.map(() => '---')]),
  ...rowsOf(results),
].join('\n') + '\n';

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' }, update: { type: 'boolean' } } });
const results = [];
const chats = CHATS.filter(({ name }) => name.includes(options.only));
for (const chat of chats) results.push(await measure(chat));
console.error('all: a silent client');
(await Promise.all(chats.map(measureSilence))).forEach((silence, index) => { results[index].silence = silence; });
const table = tableOf(results);
console.log(table);
if (options.only) process.exit();

// What the page says about `14_chat` must be true in every run.
const [{ burst, calm, stalled, longer, silence }] = results;
assert.deepEqual({ received: burst.received, isWhole: burst.isWhole, closed: burst.closed }, { received: BURST, isWhole: true, closed: undefined });
assert.equal(stalled.received, FLOOD, 'the others receive everything');
assert(stalled.isTold || isComplete(stalled), 'the slow client receives everything, or is told');
assert(stalled.grown - calm.grown < SLOW_CLIENT, `a slow client costs ${stalled.grown - calm.grown} MiB`);
assert(longer.grown < LOG, `the log takes ${longer.grown} MiB`);
assert(silence < SILENCE / 1000, 'a silent client is noticed');

if (options.update) {
  writeFileSync(TABLE, table);
  writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(BETWEEN, () => table));
} else {
  const known = readFileSync(TABLE, 'utf8').split('\n');
  const changed = rowsOf(results).filter((row, index) => ROWS[index][2] && row !== known[index + 2]);
  assert.deepEqual(changed, [], 'these rows have changed: run with --update, and review the page');
}
