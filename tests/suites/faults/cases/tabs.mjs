// Six tabs hold one event stream each; what happens to a request of a seventh? Prints the
// measurements as JSON, in milliseconds.
//
//   tabs.mjs BASE WAIT      WAIT: how long the seventh tab is observed while it waits

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

/** Opens a separate browser profile with that many tabs on the server's origin. */
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

/**
 * Sends a request from a tab. Returns the milliseconds until its response, or null if none arrived
 * within `patience`.
 */
const request = (tab, patience) => tab.evaluate(async (patience) => {
  const began = performance.now();
  globalThis.pending = fetch('/health', { cache: 'no-store' }).then((response) => response.text()).then(() => performance.now());
  const late = new Promise((resolve) => { setTimeout(resolve, patience, null); });
  const arrived = await Promise.race([globalThis.pending, late]);
  return arrived === null ? null : Math.round(arrived - began);
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
  const measured = {};
  const six = await open(TABS + 1);
  const seventh = six.tabs.pop();
  for (const tab of six.tabs) await stream(tab);
  must(await request(seventh, Number(wait)) === null, 'the seventh tab did not wait');
  measured.waited = Number(wait);
  measured.socket = await socket(seventh);
  const began = await seventh.evaluate(() => performance.now());
  await six.tabs[0].evaluate(() => globalThis.source.close());
  measured.after_close = Math.round(await seventh.evaluate(() => globalThis.pending) - began);
  await six.context.close();

  const sockets = await open(TABS + 1);
  for (const tab of sockets.tabs) await socket(tab);
  measured.with_sockets = await request(sockets.tabs[TABS], PATIENCE);
  must(measured.with_sockets !== null, 'WebSockets count toward the limit of six');
  await sockets.context.close();

  // One tab holds the stream and forwards its events to the others (a BroadcastChannel; a Web Lock
  // would elect the tab).
  const shared = await open(TABS + 1);
  await stream(shared.tabs[0]);
  await shared.tabs[0].evaluate(() => {
    const channel = new BroadcastChannel('tabs');
    globalThis.source.onmessage = ({ data }) => channel.postMessage(data);
  });
  const received = shared.tabs.slice(1).map((tab) => tab.evaluate(() => new Promise((resolve) => {
    new BroadcastChannel('tabs').onmessage = ({ data }) => resolve(data);
  })));
  // This evaluation runs after the previous one, so each tab's channel is open by now.
  for (const tab of shared.tabs) await tab.evaluate(() => 0);
  measured.with_shared_stream = await request(shared.tabs[TABS], PATIENCE);
  await fetch(`${base}/topics/tabs`, { method: 'POST', body: 'to all tabs' });
  must((await Promise.all(received)).every((data) => data === 'to all tabs'), 'a tab did not receive the event');
  await shared.context.close();
  console.log(JSON.stringify(measured));
} finally {
  await browser.close();
}
