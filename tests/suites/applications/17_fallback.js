// 17_fallback: the page ends on the best transport that works, and receives every tick once.
// Installs nginx and python3 for the front ends of tests/suites/proxy if they are missing.

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';

const PROXY = new URL('../proxy/', import.meta.url).pathname;

/** Starts nginx in front of a server, with a configuration that tests/suites/proxy names. */
async function nginx(kind, port) {
  const work = mkdtempSync(`${tmpdir()}/fallback-`);
  chmodSync(work, 0o755); // nginx's workers run as another user.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn('python3', [`${PROXY}front.py`, kind, String(port), work], { stdio: ['pipe', 'pipe', 'inherit'], env });
  const lines = createInterface({ input: child.stdout });
  const line = () => new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (code) => reject(new Error(`front.py ended with ${code}`)));
  });
  return {
    url: await line(),
    change: (other) => {
      const changed = line();
      child.stdin.write(`${other}\n`);
      return changed;
    },
    stop: async () => {
      const ended = new Promise((resolve) => { child.once('exit', resolve); });
      child.stdin.end();
      await ended;
      rmSync(work, { recursive: true });
    },
  };
}

/** Starts a proxy that passes the heads of responses on, but no byte of a WebSocket or a stream. */
async function muteProxy(port) {
  const sockets = new Set();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    let isMute = false;
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => {
      if (isMute) return;
      const head = data.indexOf('\r\n\r\n') + 4;
      isMute = /^HTTP\/1.1 101 |^Content-Type: text\/event-stream/mi.test(data.subarray(0, head).toString('latin1'));
      client.write(isMute ? data.subarray(0, head) : data);
    });
    for (const [one, other] of [[client, server], [server, client]]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => { sockets.delete(one); other.destroy(); });
    }
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  const stop = () => { proxy.close(); for (const socket of sockets) socket.destroy(); };
  return { url: `http://127.0.0.1:${proxy.address().port}`, stop };
}

export async function check({ browser, start, screens, assert, log }) {
  execFileSync(`${PROXY}install`, ['nginx', 'python3'], { stdio: 'inherit' });
  const app = await start();
  const context = await browser.newContext();

  const open = async (url) => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  const usesNow = (page, name, options) =>
    page.getByRole('status').filter({ hasText: `Connected over ${name}` }).waitFor(options);
  /** Presses the button until the page uses a better transport: a press while it tries one has no effect. */
  const improves = async (page, name) => {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        await page.getByRole('button').press('Enter', { timeout: 3000 });
        return await usesNow(page, name, { timeout: 3000 });
      } catch (error) {
        if (error.name !== 'TimeoutError') throw error;
      }
    }
    return usesNow(page, name);
  };
  const card = (page, name) => page.locator('#cards li', { has: page.getByRole('heading', { name }) });
  const hasLeft = async (page, name, reason) => {
    await card(page, name).and(page.locator('[data-state=left]')).waitFor();
    assert.match(await card(page, name).locator('.why').textContent(), reason);
  };
  const count = async (page, name) => Number(await page.locator(`#${name}`).textContent());
  /** Returns the transports of the ticks on the page, after it has received `more` more. */
  const ticks = async (page, more) => {
    const enough = await count(page, 'received') + more;
    await page.waitForFunction((enough) => Number(document.getElementById('received').textContent) >= enough, enough);
    const shown = await page.locator('#ticks li').evaluateAll((items) =>
      items.map((item) => [Number(item.textContent), item.className]).reverse());
    assert.deepEqual(shown.map(([number]) => number), shown.map((_, index) => shown[0][0] + index), 'the ticks have no gap');
    assert.deepEqual([await count(page, 'lost'), await count(page, 'doubled')], [0, 0], 'lost and doubled');
    return shown.map(([, transport]) => transport);
  };

  const direct = await open(app.url);
  await usesNow(direct, 'WebSocket');
  assert.deepEqual(new Set(await ticks(direct, 6)), new Set(['over0']));

  const mute = await muteProxy(app.port);
  const muted = await open(mute.url);
  const front = await nginx('nginx defaults', app.port);
  try {
    const page = await open(front.url);
    await usesNow(page, 'SSE');
    await hasLeft(page, 'WebSocket', /handshake failed/);
    assert.deepEqual(new Set(await ticks(page, 3)), new Set(['over1']));
    await page.close();
    log('without Upgrade: SSE');

    await front.change('nginx ignoring');
    const fallen = await open(front.url);
    await usesNow(fallen, 'Long poll');
    await hasLeft(fallen, 'WebSocket', /handshake failed/);
    await hasLeft(fallen, 'SSE', /hold them back/);
    // The ticks of the time without a transport are among them.
    assert.deepEqual(new Set(await ticks(fallen, 8)), new Set(['over2']));
    log('without Upgrade, and with buffering: long poll');

    await usesNow(muted, 'Long poll');
    for (const name of ['WebSocket', 'SSE']) await hasLeft(muted, name, /hold them back/);
    assert.deepEqual(new Set(await ticks(muted, 3)), new Set(['over2']));
    await muted.close();
    log('with heads alone: long poll');

    await front.change('nginx defaults');
    await usesNow(fallen, 'SSE', { timeout: 90_000 }); // It tries by itself after 20 s, or 40 s later.
    await ticks(fallen, 8);
    await screens(fallen);
    await front.change('nginx recommended');
    await improves(fallen, 'WebSocket');
    assert.deepEqual(new Set(await ticks(fallen, 2)), new Set(['over2', 'over1', 'over0']));
    await fallen.close();
    log('when the proxy improves: long poll, SSE, WebSocket');
  } finally {
    mute.stop();
    await front.stop();
  }

  assert.deepEqual(new Set(await ticks(direct, 1)), new Set(['over0']), 'direct, it stays on WebSocket');
  for (const [blocked, next] of [['WebSocket', 'SSE'], ['SSE', 'Long poll']]) {
    await direct.getByLabel(`Block ${blocked}`).press('Space');
    await usesNow(direct, next);
    await hasLeft(direct, blocked, /blocked on this page/);
    await ticks(direct, 2);
  }
  await direct.getByLabel('Block WebSocket').press('Space');
  await improves(direct, 'WebSocket');
  await ticks(direct, 2);
  log('blocked on the page, with the keyboard alone: SSE, long poll, WebSocket');

  await app.kill();
  await direct.getByRole('status').filter({ hasText: 'Connecting' }).waitFor();
  await app.restart();
  const before = await count(direct, 'received');
  await direct.waitForFunction((before) => Number(document.getElementById('received').textContent) > before + 2, before);
  const newest = await direct.locator('#ticks li').first().textContent();
  assert(Number(newest) < 30, `after a restart the clock begins again, but the page shows ${newest}`);
  log('after a restart: a snapshot and new ticks');
}
