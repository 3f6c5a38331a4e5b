// Checks the page's behavior in a browser. Prints one line per check.

import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { launch } from './chromium.js';
import { checkWire } from './wire.js';

const LANES = ['short-poll', 'long-poll', 'sse', 'websocket'];
const OUT = new URL('out/', import.meta.url).pathname;
/** The timeout in milliseconds for every wait. No wait is expected to need it. */
const PATIENCE = 60_000;

const [binary, ...flags] = process.argv.slice(2);
/** Selects the checks whose names contain this text. */
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : '';
mkdirSync(OUT, { recursive: true });

/** Starts a server. Returns its address and a function that ends it. */
async function serve(listen = '127.0.0.1:0', ...options) {
  const server = spawn(binary, ['--listen', listen, '--quiet', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => { server.once('exit', resolve); });
  const firstLine = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', resolve);
    ended.then((status) => reject(new Error(`the server ended with ${status}`)));
  });
  const base = firstLine.replace('listening on ', '');
  return { base, end: () => { server.kill('SIGKILL'); return ended; } };
}

/**
 * Starts a proxy in front of the server that records, for each connection, the bytes sent, the number of bytes received, and their order.
 * @param {string} base the server's address
 */
async function recordingProxy(base) {
  const { hostname, port } = new URL(base);
  const connections = [];
  const proxy = createServer((client) => {
    const record = { up: '', down: 0, order: [] };
    connections.push(record);
    const server = connect(port, hostname);
    client.on('data', (data) => {
      record.up += data.toString('latin1');
      record.order.push(data.toString('latin1'));
      server.write(data);
    });
    server.on('data', (data) => {
      record.down += data.length;
      record.order.push(data.length);
      client.write(data);
    });
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  return { base: `http://127.0.0.1:${proxy.address().port}`, connections, end: () => proxy.close() };
}

const server = await serve();
const { base } = server;

const browser = await launch();

let passed = 0;
let failed = 0;
async function check(name, body) {
  if (!name.includes(only)) return;
  const began = performance.now();
  try {
    await body();
    passed += 1;
    console.log(`ok      ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
  }
}

function equal(one, other, what) {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  if (a !== b) throw new Error(`${what}: ${a} is not ${b}`);
}

/**
 * Compares a displayed sum with the actual one. The page computes the size of heads, and rounds
 * sums.
 */
function near(displayed, actual, what) {
  if (!(Math.abs(displayed - actual) <= 0.03 * actual + 50)) throw new Error(`${what}: the page displays ${displayed}, expected ${actual}`);
}

/**
 * Opens a page on a separate topic and waits until it is ready. Collects the errors that it logs.
 */
async function open(topic, options = {}, from = base) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.errors = [];
  page.on('console', (message) => { if (message.type() === 'error') page.errors.push(message.text()); });
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(`${from}/?topic=${topic}`);
  await page.locator('html[data-ready]').waitFor({ state: 'attached' });
  return page;
}

/** Returns the data and ids that a lane shows, oldest first. */
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

  await check('all four lanes show a publish, with the same id', async () => {
    await publish(page, 'hello, four ways');
    const ids = new Set();
    for (const lane of LANES) {
      await shows(page, lane, 'hello, four ways');
      ids.add((await shown(page, lane)).at(-1).id);
    }
    equal(ids.size, 1, 'different ids');
  });

  await check('a publish by another client arrives in all lanes', async () => {
    const id = await publishFromElsewhere('checks', 'from elsewhere');
    for (const lane of LANES) {
      await shows(page, lane, 'from elsewhere');
      equal((await shown(page, lane)).at(-1).id, id, lane);
    }
  });

  await check('a new interval changes the rate of short polling at once', async () => {
    await page.locator('#interval').fill('5000');
    const before = await count(page, 'short-poll', 'requests');
    await page.locator('#interval').fill('100');
    await until(page, ([before]) =>
      Number(document.querySelector('#short-poll [data-count=requests]').textContent.replace(/\D/g, '')) > before + 10,
    [before]);
    if (await count(page, 'short-poll', 'empty') === 0) throw new Error('no response was empty');
  });

  await check('a message over the socket reaches all lanes, and its cost is shown next to that of a POST', async () => {
    await page.fill('#send-data', 'over the socket');
    const cost = await page.locator('#send-cost').textContent();
    if (!/frame.*POST/.test(cost)) throw new Error(`the cost says ${cost}`);
    await page.press('#send-data', 'Enter');
    for (const lane of LANES) await shows(page, lane, 'over the socket');
  });

  await check('shows the delay of the page’s own events, but not of others’', async () => {
    const delays = await page.locator('#sse [data-events] li[data-kind=event] .delay').allTextContents();
    // Newest first: the message over the socket, the publish by another client, the page's first
    // publish.
    if (!/\d/.test(delays[0]) || delays[1] !== '–' || !/\d/.test(delays[2])) throw new Error(delays.join(', '));
  });

  for (const lane of LANES) {
    await check(`${lane}: after a cut and a reconnect it shows the events that it missed`, async () => {
      await cut(page, lane).click();
      await page.locator(`#${lane}[data-is=cut]`).waitFor();
      await publishFromElsewhere('checks', `missed by ${lane}, 1`);
      await publish(page, `missed by ${lane}, 2`);
      for (const other of LANES.filter((other) => other !== lane)) await shows(page, other, `missed by ${lane}, 2`);
      const before = await shown(page, lane);
      if (before.some(({ data }) => data.startsWith(`missed by ${lane}`))) throw new Error('the lane was not cut');
      await cut(page, lane).click();
      await shows(page, lane, `missed by ${lane}, 2`);
      const caughtUp = page.locator(`#${lane} li[data-late]`, { hasText: `missed by ${lane}` });
      equal(await caughtUp.count(), 2, 'events marked as caught up');
      equal(await page.locator(`#${lane} [data-lose]`).getAttribute('aria-pressed'), 'false', 'the other button');
    });
  }

  await check('random cuts during many publishes: no event is lost, duplicated or out of order', async () => {
    const sent = [];
    for (let number = 0; number < 40; number += 1) {
      // A fixed sequence, so that every run makes the same cuts.
      const lane = LANES[(number * 7 + 3) % 4];
      if (number % 3 === 0) await cut(page, lane).click();
      sent.push(await publishFromElsewhere('checks', `number ${number}`));
    }
    // The page shows the effect of the last click with its next frame.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
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
    if (Number(filler) < 65_536) throw new Error(`only ${filler} filler events arrived over the socket`);
  });

  for (const lane of ['short-poll', 'long-poll', 'websocket']) {
    await check(`${lane}: shows the gap as well`, async () => {
      await page.locator(`#${lane} [data-lose]`).click();
      await page.locator(`#${lane} [data-events] li[data-kind=gap]`).waitFor();
    });
  }

  await check('every control can be reached with Tab, and has a unique name', async () => {
    const fresh = await open('keyboard');
    const names = [
      ['textbox', 'Publish to /topics/keyboard'], ['textbox', 'Event name, optional'], ['button', 'Publish'],
      ['slider', /^Poll every/], ['slider', /^Hold for at most/], ['textbox', 'Send over the socket'], ['button', 'Send'],
      ...['Short polling', 'Long polling', 'Server-Sent Events', 'WebSocket'].flatMap((lane) => [
        ['button', `Cut ${lane}`], ['button', `Cut until lost ${lane}`],
        ['region', `Events received by ${lane}, newest first`],
      ]),
      ['radio', 'Server-Sent Events'], ['button', 'Pause the bytes'], ['button', 'Clear the bytes and the counts'],
    ];
    await fresh.locator('#wire [role=option]').first().waitFor();
    // Tab reaches the selected one of several radio buttons, and of the bytes the field that was
    // viewed last. The controls are found by role and computed name, as a screen reader does; each
    // gets a mark that identifies it when it has the focus.
    for (const [index, [role, name]] of names.entries()) {
      await fresh.getByRole(role, { name, exact: true }).evaluate((control, mark) => { control.dataset.check = mark; }, index);
    }
    equal(await fresh.locator('input:not([type=radio]:not(:checked)), button').count(),
      names.filter(([role]) => role !== 'region').length, 'controls');
    // The bytes keep changing, so any field may have the focus; and the panel has its own switch.
    const others = ['#wire summary', '#wire [role=option]'];
    names.push(...others.map((control) => [control]));
    const reached = new Set();
    const missing = () => names.filter(([role], index) => !reached.has(String(index)) && !reached.has(role));
    // The field that Tab would reach may disappear at that moment, so there is a second round.
    for (let step = 0; step < 2 * names.length && missing().length > 0; step += 1) {
      await fresh.keyboard.press('Tab');
      const outline = await fresh.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      if (outline === 'none') throw new Error('the focus cannot be seen');
      reached.add(await fresh.evaluate((others) =>
        others.find((control) => document.activeElement.matches(control)) ?? document.activeElement.dataset.check, others));
    }
    equal(missing(), [], 'not reached');
    await fresh.context().close();
  });

  await check('the keyboard alone can publish, cut, reconnect and change the interval', async () => {
    const fresh = await open('keys');
    await fresh.focus('#interval');
    await fresh.keyboard.press('Home');
    equal(await fresh.locator('#interval-value').textContent(), '0.1 s', 'the interval');
    await cut(fresh, 'sse').focus();
    await fresh.keyboard.press('Space');
    await fresh.locator('#sse[data-is=cut]').waitFor();
    await fresh.focus('#data');
    await fresh.keyboard.type('typed');
    await fresh.keyboard.press('Enter');
    await shows(fresh, 'websocket', 'typed');
    await cut(fresh, 'sse').focus();
    await fresh.keyboard.press('Enter');
    await shows(fresh, 'sse', 'typed');
    await fresh.context().close();
  });

  await check('an event with a name reaches all lanes, which show the name', async () => {
    const fresh = await open('names');
    await fresh.fill('#event', 'price');
    await publish(fresh, '41.20');
    for (const lane of LANES) {
      await shows(fresh, lane, '41.20');
      equal(await fresh.locator(`#${lane} li .name`).textContent(), 'price', lane);
    }
    await fresh.fill('#event', 'gap');
    await publish(fresh, 'an event with a reserved name');
    await fresh.locator('#status', { hasText: 'Not published: 400' }).waitFor();
    equal(await fresh.inputValue('#data'), 'an event with a reserved name', 'the field');
    equal(fresh.errors.filter((error) => !error.includes('400')), [], 'errors');
    await fresh.context().close();
  });

  await check('the page displays the actual number of bytes', async () => {
    const proxy = await recordingProxy(base);
    const fresh = await open('bytes', {}, proxy.base);
    for (const number of [1, 2, 3]) {
      await publish(fresh, `event ${number}`);
      for (const lane of LANES) await shows(fresh, lane, `event ${number}`);
    }
    await fresh.fill('#send-data', 'over the socket');
    await fresh.press('#send-data', 'Enter');
    for (const lane of LANES) await shows(fresh, lane, 'over the socket');
    // Cut all lanes, so that the sums stop changing.
    for (const lane of LANES) await cut(fresh, lane).click();
    for (const lane of LANES) await fresh.locator(`#${lane}[data-is=cut]`).waitFor();

    const heads = proxy.connections.flatMap(({ up }) => up.match(/[A-Z]+ \S+ HTTP\/1\.1\r\n(?:.+\r\n)*\r\n/g) ?? []);
    const socket = proxy.connections.find(({ up }) => up.includes('Upgrade: websocket'));
    const sum = (wanted) => heads.filter(wanted).reduce((bytes, head) => bytes + head.length, 0);
    const passed = {
      'short-poll': sum((head) => /^GET \S*since=(?!now)\S* /.test(head) && !/wait=|Upgrade/.test(head)),
      'long-poll': sum((head) => head.includes('wait=')),
      sse: sum((head) => head.includes('text/event-stream') && !head.includes('GET /wire ')),
      websocket: sum((head) => head.includes('Upgrade: websocket')) + 6 + 'over the socket'.length,
    };
    for (const lane of LANES) {
      const [, displayed, unit] = /↑ ([\d.]+) (k?B)/.exec(await fresh.locator(`#${lane} [data-count=ways]`).textContent());
      near(displayed * (unit === 'kB' ? 1000 : 1), passed[lane], `sent by ${lane}`);
    }
    const [, down] = /↓ ([\d.]+) B/.exec(await fresh.locator('#websocket [data-count=ways]').textContent());
    near(Number(down), socket.down, 'received by websocket');
    await fresh.context().close();
    proxy.end();
  });

  await check('the lanes report a missing token, and with the token they follow and publish', async () => {
    const guarded = await serve('127.0.0.1:0', '--follow-token', 'may-read', '--publish-token', 'may-write');
    const refused = await browser.newPage();
    await refused.goto(guarded.base);
    for (const lane of LANES) await refused.locator(`#${lane}[data-is=ended] .state`, { hasText: '401' }).waitFor();
    await refused.close();
    const authorized = await open('demo&access_token=may-write', {}, guarded.base);
    await publish(authorized, 'authorized');
    for (const lane of LANES) await shows(authorized, lane, 'authorized');
    equal(authorized.errors, [], 'errors');
    await authorized.context().close();
    await guarded.end();
  });

  await check('a page whose name resolves to this machine reads nothing (DNS rebinding)', async () => {
    for (const [options, expected] of [
      [[], { poll: 421, stream: 'closed', socket: 'closed' }],
      // Without the check of the host, the page reads the topic. Its Origin still stops the WebSocket.
      [['--allow-host', 'rebound.example'], { poll: 200, stream: 'secret', socket: 'closed' }],
    ]) {
      // The page comes from the attacker's server. Then the name leads to another one on the same port.
      const attacker = createHttpServer((request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/html', Connection: 'close' }).end('<p>rebound');
      });
      await new Promise((resolve) => { attacker.listen(0, '127.0.0.1', resolve); });
      const { port } = attacker.address();
      const context = await browser.newContext();
      const rebound = await context.newPage();
      await rebound.goto(`http://rebound.example:${port}/`);
      await new Promise((resolve) => { attacker.close(resolve); attacker.closeAllConnections(); });
      const local = await serve(`127.0.0.1:${port}`, ...options);
      equal((await fetch(`${local.base}/topics/t`, { method: 'POST', body: 'secret' })).status, 201, 'a publish');
      const read = await rebound.evaluate(async () => {
        const poll = (await fetch('/topics/t')).status;
        const stream = await new Promise((resolve) => {
          const source = new EventSource('/topics/t?since=start');
          source.onmessage = (event) => { source.close(); resolve(event.data); };
          source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? 'closed' : 'retries');
        });
        const socket = await new Promise((resolve) => {
          const webSocket = new WebSocket(`ws://${location.host}/topics/t?since=start`);
          webSocket.onmessage = (event) => resolve(event.data);
          webSocket.onclose = () => resolve('closed');
        });
        return { poll, stream, socket };
      });
      equal(read, expected, options.join(' ') || 'the defaults');
      await context.close();
      await local.end();
    }
  });

  await check('after a restart of the server each lane reconnects and shows the gap', async () => {
    const first = await serve();
    const fresh = await open('again', {}, first.base);
    await publish(fresh, 'before');
    for (const lane of LANES) await shows(fresh, lane, 'before');
    await first.end();
    for (const lane of LANES) await fresh.locator(`#${lane}[data-is=reconnecting]`).waitFor();
    const second = await serve(new URL(first.base).host);
    for (const lane of LANES) await fresh.locator(`#${lane} li[data-kind=gap]`).waitFor();
    await fresh.locator('#wire[data-is=open]').waitFor();
    await fresh.locator('#wire .missing', { hasText: 'disconnected' }).first().waitFor();
    await publish(fresh, 'after');
    for (const lane of LANES) await shows(fresh, lane, 'after');
    await fresh.context().close();
    await second.end();
  });

  await check('at 390 pixels the page does not scroll sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const [inner, content] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth]);
    if (content > inner) throw new Error(`the content is ${content} px wide in ${inner} px`);
  });

  await check('the browser’s WebSocket and /echo: text, binary, 16 MiB, compression, a close code', async () => {
    const result = await page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
      socket.binaryType = 'arraybuffer';
      const next = (name) => new Promise((resolve, reject) => {
        socket.addEventListener(name, resolve, { once: true });
        if (name !== 'close') socket.addEventListener('close', ({ code }) => reject(new Error(`closed with ${code}`)), { once: true });
      });
      await next('open');
      const big = new Uint8Array(16 << 20).map((_, at) => at % 251);
      const same = [];
      for (const message of ['héllo '.repeat(2000), '', new Uint8Array([0, 255]), big]) {
        socket.send(message);
        const { data } = await next('message');
        const received = typeof data === 'string' ? data : new Uint8Array(data);
        same.push(received.length === message.length && (typeof data === 'string' ? received === message
          : message.every((byte, at) => byte === received[at])));
      }
      socket.close(4321, 'enough');
      const { code, wasClean } = await next('close');
      return { same, code, wasClean, extensions: socket.extensions };
    });
    equal(result.same, [true, true, true, true], 'the echoes');
    equal([result.code, result.wasClean], [4321, true], 'the close');
    if (!result.extensions.startsWith('permessage-deflate')) throw new Error(`agreed: ${result.extensions}`);
  });

  await checkWire({ check, equal, until, open, serve, recordingProxy, publish, shows, browser, LANES, OUT });

  await check('no errors are logged', async () => equal(page.errors, [], 'errors'));
  await page.context().close();

  await check('screenshots', async () => {
    const picture = await open('demo', { deviceScaleFactor: 2 });
    // Half a minute of varied activity, because the time lines show that much. The page's clock
    // determines the times.
    const began = await picture.evaluate(() => performance.now());
    const at = (seconds) => until(picture, (time) => performance.now() >= time, began + 1000 * seconds);
    const name = (event) => picture.fill('#event', event);
    await at(2.5);
    await publish(picture, 'hello, four ways');
    await at(5.8);
    await name('deploy');
    await publish(picture, 'version 41 is out');
    await at(9.1);
    await name('');
    await cut(picture, 'sse').click();
    await at(11.3);
    await publish(picture, 'missed, for a moment');
    await at(13.6);
    await publish(picture, 'and this one, too');
    await at(15.2);
    await cut(picture, 'sse').click();
    await at(19.7);
    await picture.fill('#send-data', 'sent over the socket');
    await picture.press('#send-data', 'Enter');
    await at(24.4);
    await name('temperature');
    await publish(picture, '21.5 °C');
    await name('');
    await at(29.2);
    await picture.evaluate(() => document.activeElement.blur());
    await picture.mouse.move(0, 0);
    const height = await picture.locator('#wire').evaluate((wire) => wire.getBoundingClientRect().top + scrollY);
    await picture.screenshot({ path: `${OUT}readme.png`, fullPage: true, clip: { x: 0, y: 0, width: 1280, height } });
    for (const colorScheme of ['light', 'dark']) {
      await picture.emulateMedia({ colorScheme });
      for (const width of [1280, 390]) {
        await picture.setViewportSize({ width, height: 900 });
        await picture.screenshot({ path: `${OUT}${colorScheme}-${width}.png`, fullPage: true });
      }
      await picture.setViewportSize({ width: 1280, height: 900 });
    }
    await picture.context().close();
  });
  if (flags.includes('--update')) {
    copyFileSync(`${OUT}readme.png`, new URL('../../../docs/page.png', import.meta.url));
    copyFileSync(`${OUT}wire.png`, new URL('../../../docs/wire-page.png', import.meta.url));
  }
} finally {
  await browser.close();
  await server.end();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
