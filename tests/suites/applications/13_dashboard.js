// The prices in a fast page, and in one that is too slow, in two ways.

/** Returns what the page shows: its newest tick, its counts and its prices. */
const read = (page) => page.evaluate(() => ({
  ...Object.fromEntries(['tick', 'shown', 'skipped'].map((id) => [id, Number(document.getElementById(id).textContent)])),
  prices: [...document.querySelectorAll('tbody td:nth-child(2)')].map((cell) => cell.textContent),
}));

/** Waits until a page shows a tick from `tick` on. */
const reach = (page, tick) => page.waitForFunction((tick) => Number(document.getElementById('tick').textContent) >= tick, tick);

export async function check({ browser, start, screens, assert, log }) {
  const app = await start();
  const open = async () => {
    const page = await (await browser.newContext()).newPage();
    // Each tick's prices as the page shows them.
    await page.addInitScript(() => {
      window.seen = {};
      addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
        const cells = [...document.querySelectorAll('tbody td:nth-child(2)')];
        window.seen[document.getElementById('tick').textContent] = cells.map((cell) => cell.textContent);
      }).observe(document.getElementById('tick'), { childList: true }));
    });
    await page.goto(app.url);
    await reach(page, 1);
    return page;
  };
  const newest = async () => (await (await fetch(`${app.url}/values`)).json()).tick;
  const [fast, slow] = [await open(), await open()];

  /** Compares the prices that both pages showed for the same ticks. */
  const compare = async () => {
    const [a, b] = await Promise.all([fast, slow].map((page) => page.evaluate(() => window.seen)));
    const common = Object.keys(a).filter((tick) => tick in b);
    for (const tick of common) assert.deepEqual(a[tick], b[tick], `the prices of tick ${tick}`);
    return common.length;
  };

  /** Checks that the slow page has skipped values since `before`, and shows new ones. */
  const caughtUp = async (before, at, what) => {
    await reach(slow, at);
    const after = await read(slow);
    const [skipped, drawn] = [after.skipped - before.skipped, after.shown - before.shown];
    assert.equal(skipped + drawn, after.tick - before.tick);
    assert(skipped > drawn, `${what}: ${skipped} values skipped, ${drawn} shown`);
    log(`${what}: ${skipped} values skipped, ${drawn} shown`);
  };

  // The checkbox: a second for each value.
  let before = await read(slow);
  await slow.locator('#slow').press('Space');
  await reach(slow, before.tick + 40);
  await caughtUp(before, await newest(), 'slowed by its checkbox');
  await slow.locator('#slow').press('Space');

  // A script that blocks the page, as a slow machine does.
  before = await read(slow);
  await slow.evaluate(() => { for (const end = performance.now() + 3000; performance.now() < end;); });
  await caughtUp(before, await newest(), 'blocked for 3 s');

  const common = await compare();
  assert(common > 0);
  log(`both pages showed the same prices at ${common} common ticks`);
  const charts = await fast.locator('polyline').evaluateAll((lines) => lines.map((line) => line.getAttribute('points').split(' ').length));
  assert(charts.length === 6 && charts.every((points) => points > 10 && points <= 60), `points of the charts: ${charts}`);
  assert.equal(await fast.getByRole('meter').count(), 2);
  await fast.waitForFunction(() => Number(document.getElementById('tick').textContent) >= 70);
  await screens(fast, '13_dashboard');

  // The pages continue by themselves with the values of a new server, which counts from 0.
  const last = await newest();
  await app.restart();
  for (const page of [fast, slow]) {
    await page.waitForFunction((last) => Number(document.getElementById('tick').textContent) < last, last);
    await page.locator('#state.live').waitFor();
  }
}
