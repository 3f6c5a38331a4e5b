// 09_tasks_by_cursor: over each transport, every update arrives exactly once, also after a restart.

const INTERVAL = 200;
const UPDATES = 60;
/** The milliseconds between two updates: the schedule of 08_tasks_by_time. */
const SPACING = 37;
const TRANSPORTS = ['Short poll', 'Long poll', 'Server-Sent Events', 'WebSocket'];

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Sends a request to the server and returns the answer. */
async function request(server, method, path, content) {
  const response = await fetch(server.url + path, { method, body: content && JSON.stringify(content) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.json();
}

/** Adds tasks and changes every third of them at once, on a fixed schedule. Returns the updates. */
async function update(server, count = UPDATES) {
  const began = performance.now();
  let updates = 0;
  for (let n = 1; n <= count; n += 1) {
    const { id } = await request(server, 'POST', '/tasks', { title: `Task ${n}` });
    updates += 1;
    if (n % 3 === 0) {
      await request(server, 'PATCH', `/tasks/${id}`, { done: true });
      updates += 1;
    }
    await sleep(began + n * SPACING - performance.now());
  }
  return updates;
}

const number = async (page, id) => Number(await page.locator(`#${id}`).textContent());
const reaches = (page, id, goal) => page.waitForFunction(
  ([id, goal]) => Number(document.getElementById(id).textContent) >= goal, [id, goal]);

/** Waits until the page shows the server's list, and checks that it is the same. */
async function showsTheList(page, server, assert) {
  const { tasks } = await request(server, 'GET', '/tasks');
  await page.waitForFunction((length) => document.querySelectorAll('li').length === length, tasks.length);
  const shown = await page.locator('li').evaluateAll((items) => items.map((item) => ({
    id: Number(item.id), title: item.textContent, done: item.querySelector('input').checked,
  })));
  assert.deepEqual(shown, tasks.map(({ id, title, done }) => ({ id, title, done })));
}

/** Checks that no update is lost or doubled since the page was loaded. */
async function isExact(page, server, assert, updates) {
  await reaches(page, 'updates', updates);
  await showsTheList(page, server, assert);
  const counts = {};
  for (const id of ['updates', 'lost', 'doubled']) counts[id] = await number(page, id);
  assert.deepEqual(counts, { updates, lost: 0, doubled: 0 });
}

export async function check({ browser, start, screens, assert, log }) {
  for (const transport of TRANSPORTS) {
    const server = await start();
    await update(server, 3); // Before the page is open: they are in its snapshot.
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${server.url}/?interval=${INTERVAL}`);
    await page.getByLabel('Transport').selectOption(transport);
    await reaches(page, 'snapshots', 1);
    let updates = await update(server);
    await isExact(page, server, assert, updates);
    assert.equal(await number(page, 'snapshots'), 1);

    // The new server has an empty list and another epoch. It reports the gap, and the page fetches
    // the list again. The updates go on meanwhile.
    await server.restart();
    await update(server, 5); // These may be in the snapshot or arrive as events.
    await reaches(page, 'snapshots', 2);
    await showsTheList(page, server, assert);
    updates = await number(page, 'updates');
    updates += await update(server);
    await isExact(page, server, assert, updates);
    log(`${transport}: ${updates} updates received, 0 lost, 0 doubled, ${await number(page, 'snapshots')} snapshots,`
      + ` ${await number(page, 'requests')} requests, ${await number(page, 'empty')} empty answers`);
    if (transport === 'WebSocket') await screens(page);
    await context.close();
    await server.kill();
  }

  // The cursor outlives a change of the transport during the updates.
  const server = await start();
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${server.url}/?interval=${INTERVAL}`);
  await reaches(page, 'snapshots', 1);
  let isOver = false;
  const updating = update(server, 2 * UPDATES).finally(() => { isOver = true; });
  let changes = 0;
  for (; !isOver; changes += 1) {
    await page.getByLabel('Transport').selectOption(TRANSPORTS[changes % TRANSPORTS.length]);
    await sleep(130);
  }
  const updates = await updating;
  await isExact(page, server, assert, updates);
  assert.equal(await number(page, 'snapshots'), 1);
  log(`${changes} changes of the transport: ${updates} updates received, 0 lost, 0 doubled`);

  // With the keyboard alone, in two windows: add a task and mark it as done.
  const other = await (await browser.newContext()).newPage();
  await other.goto(server.url);
  await page.getByLabel('New task').focus();
  await page.keyboard.type('<b>Water the plants</b>');
  await page.keyboard.press('Enter');
  await page.getByLabel('<b>Water the plants</b>').press('Space');
  await other.getByLabel('<b>Water the plants</b>').and(other.locator(':checked')).waitFor();
}
