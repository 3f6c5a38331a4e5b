// The page, in a browser: what it says that it does is checked, one line a check.

import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const LANES = ['short-poll', 'long-poll', 'sse', 'websocket'];
const OUT = new URL('out/', import.meta.url).pathname;
/** How long anything may take. Nothing is expected to need it. */
const PATIENCE = 60_000;

const [binary, ...flags] = process.argv.slice(2);
mkdirSync(OUT, { recursive: true });

const server = spawn(binary, ['--listen', '127.0.0.1:0', '--quiet'], { stdio: ['ignore', 'pipe', 'inherit'] });
const firstLine = await new Promise((resolve, reject) => {
  createInterface({ input: server.stdout }).once('line', resolve);
  server.once('exit', (status) => reject(new Error(`the server ended with ${status}`)));
});
const base = firstLine.replace('listening on ', '');

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

let passed = 0;
let failed = 0;
async function check(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
  }
}

function equal(one, other, what) {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  if (a !== b) throw new Error(`${what}: ${a} is not ${b}`);
}

/** A page of its own topic, ready to be used; what it logs as an error is collected. */
async function open(topic, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.errors = [];
  page.on('console', (message) => { if (message.type() === 'error') page.errors.push(message.text()); });
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(`${base}/?topic=${topic}`);
  await page.locator('html[data-ready]').waitFor({ state: 'attached' });
  return page;
}

/** The data and ids that a lane shows, oldest first. */
const shown = (page, lane) => page.locator(`#${lane} [data-events] li[data-kind=event]`).evaluateAll((items) =>
  items.map((item) => ({ id: item.dataset.id, data: item.querySelector('.data').textContent })).reverse());

/** Waits until a lane shows an event with this data. */
const shows = (page, lane, data) =>
  page.locator(`#${lane} [data-events] li[data-kind=event]`, { hasText: data }).first().waitFor();

async function publish(page, data) {
  await page.fill('#data', data);
  await page.press('#data', 'Enter');
}

async function publishFromElsewhere(topic, data) {
  const response = await fetch(`${base}/topics/${topic}`, { method: 'POST', body: data });
  equal(response.status, 201, 'a publish from elsewhere');
  return (await response.json()).id;
}

const count = async (page, lane, name) =>
  Number((await page.locator(`#${lane} [data-count=${name}]`).textContent()).replace(/\D/g, ''));
const cut = (page, lane) => page.locator(`#${lane} [data-cut]`);
const until = (page, condition, argument) => page.waitForFunction(condition, argument, { timeout: PATIENCE });

try {
  const page = await open('checks');

  await check('one publish is shown by all four lanes, with the same id', async () => {
    await publish(page, 'hello, four ways');
    const ids = new Set();
    for (const lane of LANES) {
      await shows(page, lane, 'hello, four ways');
      ids.add((await shown(page, lane)).at(-1).id);
    }
    equal(ids.size, 1, 'different ids');
  });

  await check('a publish from elsewhere arrives in all lanes', async () => {
    const id = await publishFromElsewhere('checks', 'from elsewhere');
    for (const lane of LANES) {
      await shows(page, lane, 'from elsewhere');
      equal((await shown(page, lane)).at(-1).id, id, lane);
    }
  });

  await check('the interval of short polling is changed while it runs, and the requests follow', async () => {
    await page.locator('#interval').fill('5000');
    const before = await count(page, 'short-poll', 'requests');
    await page.locator('#interval').fill('100');
    await until(page, ([before]) =>
      Number(document.querySelector('#short-poll [data-count=requests]').textContent.replace(/\D/g, '')) > before + 10,
    [before]);
    if (await count(page, 'short-poll', 'empty') === 0) throw new Error('no answer was empty');
  });

  await check('what is sent over the socket reaches all lanes, and its cost stands beside a POST’s', async () => {
    await page.fill('#send-data', 'over the socket');
    const cost = await page.locator('#send-cost').textContent();
    if (!/frame.*POST/.test(cost)) throw new Error(`the cost says ${cost}`);
    await page.press('#send-data', 'Enter');
    for (const lane of LANES) await shows(page, lane, 'over the socket');
  });

  await check('the delay of an own event is shown, and that of another’s is not', async () => {
    const delays = await page.locator('#sse [data-events] li[data-kind=event] .delay').allTextContents();
    // Newest first: over the socket, from elsewhere, the first.
    if (!/\d/.test(delays[0]) || delays[1] !== '–' || !/\d/.test(delays[2])) throw new Error(delays.join(', '));
  });

  for (const lane of LANES) {
    await check(`${lane}: cut and brought back, it shows what it missed`, async () => {
      await cut(page, lane).click();
      await page.locator(`#${lane}[data-is=cut]`).waitFor();
      await publishFromElsewhere('checks', `missed by ${lane}, 1`);
      await publish(page, `missed by ${lane}, 2`);
      for (const other of LANES.filter((other) => other !== lane)) await shows(page, other, `missed by ${lane}, 2`);
      const before = await shown(page, lane);
      if (before.some(({ data }) => data.startsWith(`missed by ${lane}`))) throw new Error('it was not cut');
      await cut(page, lane).click();
      await shows(page, lane, `missed by ${lane}, 2`);
    });
  }

  await check('random cuts of all lanes, and a stream of publishes: nothing is lost, doubled or out of order', async () => {
    const sent = [];
    for (let number = 0; number < 40; number += 1) {
      // A small generator with a fixed seed: the same cuts each time.
      const lane = LANES[(number * 7 + 3) % 4];
      if (number % 3 === 0) await cut(page, lane).click();
      sent.push(await publishFromElsewhere('checks', `number ${number}`));
    }
    for (const lane of LANES) {
      if (await cut(page, lane).getAttribute('aria-pressed') === 'true') await cut(page, lane).click();
      await shows(page, lane, 'number 39');
      const ids = (await shown(page, lane)).map(({ id }) => id);
      equal(ids.slice(-40), sent, lane);
    }
  });

  await check('a lane that is cut until it is lost shows the gap, and no other lane does', async () => {
    await page.locator('#sse [data-lose]').click();
    await page.locator('#sse [data-events] li[data-kind=gap]').waitFor();
    await publish(page, 'after the gap');
    for (const lane of LANES) {
      await shows(page, lane, 'after the gap');
      equal(await page.locator(`#${lane} [data-events] li[data-kind=gap]`).count(), lane === 'sse' ? 1 : 0, lane);
    }
    const filler = await page.locator('#websocket [data-events] li[data-kind=filler]').first().getAttribute('data-count');
    if (Number(filler) < 65_536) throw new Error(`only ${filler} filler events came over the socket`);
  });

  for (const lane of ['short-poll', 'long-poll', 'websocket']) {
    await check(`${lane}: the gap is shown there too`, async () => {
      await page.locator(`#${lane} [data-lose]`).click();
      await page.locator(`#${lane} [data-events] li[data-kind=gap]`).waitFor();
    });
  }

  await check('every control can be reached with Tab, and has a name', async () => {
    const fresh = await open('keyboard');
    const names = new Set();
    for (let step = 0; step < 40; step += 1) {
      await fresh.keyboard.press('Tab');
      names.add(await fresh.evaluate(() => {
        const focused = document.activeElement;
        const name = focused.labels?.[0]?.textContent ?? focused.getAttribute('aria-label') ?? focused.textContent;
        return focused === document.body ? 'body' : `${focused.id || focused.tagName}: ${name.trim()}`;
      }));
    }
    const controls = await fresh.locator('input, button').count();
    const reached = [...names].filter((name) => name !== 'body');
    if (reached.some((name) => /: $/.test(name))) throw new Error(`without a name: ${reached.join(' | ')}`);
    if (reached.length < controls) throw new Error(`${reached.length} of ${controls}: ${reached.join(' | ')}`);
    await fresh.context().close();
  });

  await check('at 390 pixels nothing has to be scrolled sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const [inner, whole] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth]);
    if (whole > inner) throw new Error(`${whole} in ${inner}`);
  });

  await check('nothing was logged as an error', async () => equal(page.errors, [], 'errors'));
  await page.context().close();

  for (const colorScheme of ['light', 'dark']) {
    await check(`screenshots, ${colorScheme}`, async () => {
      const picture = await open('demo', { colorScheme, deviceScaleFactor: 2 });
      for (const data of ['hello', 'the second event', 'deploy finished in 41 s', 'temperature 21.5 °C']) {
        await publish(picture, data);
        for (const lane of LANES) await shows(picture, lane, data);
        await picture.waitForTimeout(1500);
      }
      await cut(picture, 'long-poll').click();
      await publish(picture, 'missed for a moment');
      await shows(picture, 'short-poll', 'missed for a moment');
      await picture.waitForTimeout(1500);
      await cut(picture, 'long-poll').click();
      await shows(picture, 'long-poll', 'missed for a moment');
      await picture.fill('#send-data', 'said over the socket');
      await picture.press('#send-data', 'Enter');
      await shows(picture, 'short-poll', 'said over the socket');
      await picture.evaluate(() => document.activeElement.blur());
      await picture.screenshot({ path: `${OUT}${colorScheme}-1280.png`, fullPage: true });
      await picture.setViewportSize({ width: 390, height: 844 });
      await picture.screenshot({ path: `${OUT}${colorScheme}-390.png`, fullPage: true });
      await picture.context().close();
    });
  }
  if (flags.includes('--update')) copyFileSync(`${OUT}light-1280.png`, new URL('../../docs/page.png', import.meta.url));
} finally {
  await browser.close();
  server.kill();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
