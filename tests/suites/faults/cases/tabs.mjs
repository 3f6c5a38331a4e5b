// Six tabs hold an event stream each; what becomes of a seventh? Prints what was measured, in milliseconds, as JSON.
//
//   tabs.mjs BASE WAIT      WAIT: how long the seventh is left waiting

import { chromium } from '../../browser/node_modules/playwright-core/index.mjs';

const [base, wait] = process.argv.slice(2);
const PATIENCE = 60_000;
const TABS = 6;

function must(holds, what) {
  if (!holds) throw new Error(what);
}

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

/** A browser's profile of its own, with tabs that stand ready on the server's origin. */
async function open(count) {
  const context = await browser.newContext();
  const tabs = [];
  for (let number = 0; number < count; number += 1) {
    const tab = await context.newPage();
    tab.setDefaultTimeout(PATIENCE);
    await tab.goto(`${base}/health`);
    tabs.push(tab);
  }
  return { context, tabs };
}

/** In a tab: asks for something, and says after how many milliseconds it came, or null if it has not within `patience`. */
const ask = (tab, patience) => tab.evaluate(async (patience) => {
  const began = performance.now();
  globalThis.asked = fetch('/health', { cache: 'no-store' }).then((answer) => answer.text()).then(() => performance.now());
  const late = new Promise((resolve) => { setTimeout(resolve, patience, null); });
  const came = await Promise.race([globalThis.asked, late]);
  return came === null ? null : Math.round(came - began);
}, patience);

const stream = (tab) => tab.evaluate(() => new Promise((resolve, reject) => {
  globalThis.source = new EventSource('/topics/tabs');
  globalThis.source.onopen = () => resolve();
  globalThis.source.onerror = () => reject(new Error('no event stream'));
}));

const socket = (tab) => tab.evaluate(() => new Promise((resolve, reject) => {
  const began = performance.now();
  globalThis.socket = new WebSocket(`${location.origin.replace('http', 'ws')}/topics/tabs`);
  globalThis.socket.onmessage = () => resolve(Math.round(performance.now() - began));
  globalThis.socket.onclose = () => reject(new Error('no WebSocket'));
}));

try {
  const told = {};
  const six = await open(TABS + 1);
  const seventh = six.tabs.pop();
  for (const tab of six.tabs) await stream(tab);
  must(await ask(seventh, Number(wait)) === null, 'the seventh tab did not wait');
  told.waited = Number(wait);
  told.socket = await socket(seventh);
  const began = await seventh.evaluate(() => performance.now());
  await six.tabs[0].evaluate(() => globalThis.source.close());
  told.after_close = Math.round(await seventh.evaluate(() => globalThis.asked) - began);
  await six.context.close();

  const sockets = await open(TABS + 1);
  for (const tab of sockets.tabs) await socket(tab);
  told.beside_sockets = await ask(sockets.tabs[TABS], PATIENCE);
  must(told.beside_sockets !== null, 'WebSockets count among the six');
  await sockets.context.close();

  // One tab holds the stream, and tells the others (a BroadcastChannel; which tab, a Web Lock would decide).
  const shared = await open(TABS + 1);
  await stream(shared.tabs[0]);
  await shared.tabs[0].evaluate(() => {
    const channel = new BroadcastChannel('tabs');
    globalThis.source.onmessage = ({ data }) => channel.postMessage(data);
  });
  const heard = shared.tabs.slice(1).map((tab) => tab.evaluate(() => new Promise((resolve) => {
    new BroadcastChannel('tabs').onmessage = ({ data }) => resolve(data);
  })));
  // A page that hears has its channel by now: this comes behind it.
  for (const tab of shared.tabs) await tab.evaluate(() => 0);
  told.beside_shared = await ask(shared.tabs[TABS], PATIENCE);
  await fetch(`${base}/topics/tabs`, { method: 'POST', body: 'to all tabs' });
  must((await Promise.all(heard)).every((data) => data === 'to all tabs'), 'not all tabs heard of it');
  await shared.context.close();
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
