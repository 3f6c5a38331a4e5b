// A log in two windows: filtered, paused, interrupted, and read after the input has ended.

/** Returns `count` lines that begin with their numbers. */
const lines = (first, count, text) => Array.from({ length: count }, (_, index) => `${first + index} ${text}\n`).join('');

/** The log of a host before and after a restart. */
const SAMPLE = [`
Nov 29 09:14:02 harbor systemd[1]: Started Daily package download activities.
Nov 29 09:14:07 harbor sshd[812]: Accepted publickey for ann from 192.0.2.17 port 50122
Nov 29 09:15:31 harbor kernel: eth0: link is up at 1000 Mbps, full duplex
Nov 29 09:17:00 harbor cron[4021]: (root) CMD (run-parts --report /etc/cron.hourly)
Nov 29 09:17:45 harbor postgres[977]: checkpoint complete: wrote 412 buffers (2.5 %)
Nov 29 09:18:09 harbor nginx[655]: upstream timed out while reading the response header from 192.0.2.40
Nov 29 09:18:12 harbor systemd[1]: Stopping the system.
`, `
Nov 29 09:20:44 harbor kernel: Linux version 6.12.0 (build@harbor), command line: root=/dev/vda1 ro quiet
Nov 29 09:20:45 harbor systemd[1]: Reached target network.
Nov 29 09:20:47 harbor sshd[610]: Server listening on 0.0.0.0 port 22.
Nov 29 09:20:51 harbor nginx[655]: started 2 worker processes
Nov 29 09:21:02 harbor postgres[701]: database system is ready to accept connections
Nov 29 09:21:30 harbor sshd[744]: error: maximum authentication attempts exceeded for root
`].map((sample) => sample.slice(1));

/** Returns the texts of the lines and notes that the page shows. */
const shown = (page) => page.locator('#log > div:not([hidden])').allTextContents();

/** Returns the numbers of the lines that the page has. */
const numbers = async (page) => (await page.locator('#log > div:not(.note)').allTextContents()).map((line) => parseInt(line, 10));

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Returns a metric of the server. */
async function metric(app, name) {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

export async function check({ browser, start, screens, assert, log }) {
  const app = await start();
  const open = async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(app.url);
    return page;
  };
  const wait = (page, text, selector = '#log') => page.locator(selector, { hasText: text }).waitFor();
  const write = (text) => new Promise((written) => { app.stdin.write(text, written); });

  const [ann, ben] = [await open(), await open()];
  await Promise.all([ann, ben].map((page) => wait(page, '2 reading', '#readers')));
  // The pages continue by themselves when the server does, and are told that its log is a new one.
  await write(SAMPLE[0]);
  for (const page of [ann, ben]) await wait(page, 'Stopping the system.');
  await app.restart();
  await write(SAMPLE[1]);
  for (const page of [ann, ben]) {
    await wait(page, 'maximum authentication attempts');
    await wait(page, 'live', '#state');
    assert.equal(await page.locator('.note').count(), 1);
    assert.equal((await shown(page)).length, 14);
  }
  await screens(ann);
  await Promise.all([ann, ben].map((page) => page.reload()));
  await wait(ann, '2 reading', '#readers');

  await write(lines(1, 20, 'sshd[812]: Accepted publickey for ann') + '21 error: no space left\n22 <b>not bold</b>\n\n');
  for (const page of [ann, ben]) {
    await page.waitForFunction(() => document.querySelectorAll('#log > div').length === 29);
    assert.deepEqual((await shown(page)).slice(26), ['21 error: no space left', '22 <b>not bold</b>', '']);
    assert.equal(await page.locator('#log b').count(), 0);
  }

  await ann.getByLabel('Filter').fill('ERROR');
  await write('23 an error too\n24 all is well\n');
  await wait(ann, '23 an error too');
  await wait(ben, '24 all is well');
  await ann.waitForFunction(() => document.querySelector('#count').textContent === '3 of 31 lines');
  assert.deepEqual((await shown(ann)).slice(1), ['21 error: no space left', '23 an error too']);
  await ann.getByLabel('Filter').fill('');
  assert.equal((await shown(ann)).length, 31);

  // A paused page is no reader, and lacks nothing when it resumes.
  await ann.locator('#pause').press('Enter');
  await wait(ben, '1 reading', '#readers');
  await write(lines(25, 200, 'while one page is paused'));
  await wait(ben, '224 while');
  assert.equal((await numbers(ann)).at(-1), 24);
  await ann.locator('#pause').press('Enter');
  await wait(ann, '224 while');
  assert.deepEqual((await numbers(ann)).filter(Number.isInteger), range(1, 224));
  assert.equal(await ann.locator('.note').count(), 0);

  // Ann is told of the lines that the log no longer has.
  await ann.locator('#pause').click();
  const long = 'x'.repeat(2000);
  await write(lines(225, 2000, long));
  await wait(ben, '2224 xx');
  await ann.locator('#pause').click();
  await wait(ann, '2224 xx');
  assert.equal(await ann.locator('.note').count(), 1);
  const rest = (await numbers(ann)).filter((number) => number > 224);
  assert.deepEqual(rest, range(rest[0], 2224));
  assert(rest[0] > 225 && rest.length > 100, `the page has the lines from ${rest[0]}`);
  const kept = await metric(app, 'barewire_log_bytes');
  assert(kept <= 1.25 * 2 ** 20, `the log keeps ${kept} bytes`);
  log(`the log keeps ${kept} bytes; the page that was paused has the last ${rest.length} of 2000 lines`);

  // The end of the input ends nothing else; a page that opens later is told of it too.
  app.stdin.end('2225 the last line');
  for (const page of [ann, ben, await open()]) {
    await wait(page, '2225 the last line');
    await wait(page, 'the input has ended', '#state');
  }
}
