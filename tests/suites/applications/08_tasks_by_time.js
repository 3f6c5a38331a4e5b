// 08_tasks_by_time: a page that polls by its own clock loses updates, and never receives them later.

const INTERVAL = 200;
/** The milliseconds for which the server holds each answer back. */
const DELAY = 50;
const UPDATES = 60;
/** The milliseconds between two updates: shorter than the delay, so one falls into each window. */
const SPACING = 37;

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Sends a request to the server and returns the answer. */
async function request(server, method, path, content) {
  const response = await fetch(server.url + path, { method, body: content && JSON.stringify(content) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.json();
}

/** Adds tasks on a fixed schedule. */
async function addTasks(server) {
  const began = performance.now();
  for (let n = 1; n <= UPDATES; n += 1) {
    await request(server, 'POST', '/tasks', { title: `Task ${n}` });
    await sleep(began + n * SPACING - performance.now());
  }
}

const number = async (page, id) => Number(await page.locator(`#${id}`).textContent());
/** Returns the ids of the tasks that the page shows, and of those that it shows as lost. */
const listed = (page) => page.locator('ul li:not(.lost)').evaluateAll((items) => items.map(({ id }) => Number(id)));
const lost = (page) => page.locator('ul li.lost').evaluateAll((items) => items.map(({ id }) => Number(id)));

/** Waits until the page has made that many further requests. */
async function polls(page, more) {
  const goal = await number(page, 'requests') + more;
  await page.waitForFunction((goal) => Number(document.querySelector('#requests').textContent) >= goal, goal);
}

async function compare(page) {
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.locator('[role=status]', { hasText: 'The server has' }).waitFor();
  return lost(page);
}

export async function check({ browser, start, screens, assert, log }) {
  const server = await start([DELAY]);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}/?interval=${INTERVAL}`);
  await polls(page, 1);

  await addTasks(server);
  await polls(page, 3);
  const missing = await compare(page);
  const share = `${missing.length} of ${UPDATES} (delay/interval: ${Math.round(DELAY / INTERVAL * 100)} %)`;
  log(`lost: ${share}; ${await number(page, 'requests')} requests`);
  assert(missing.length >= 1, 'no update was lost');
  assert(missing.length < UPDATES / 2, `too many updates were lost: ${share}`);
  assert.equal(await number(page, 'lost'), missing.length);
  const all = (await request(server, 'GET', '/tasks')).map(({ id }) => id);
  assert.equal(all.length, UPDATES);
  assert.deepEqual([...await listed(page), ...missing].sort((a, b) => a - b), all);

  // Further polls are empty: the lost updates never arrive.
  const [updates, empty] = [await number(page, 'updates'), await number(page, 'empty')];
  await polls(page, 5);
  assert.equal(await number(page, 'updates'), updates);
  assert((await number(page, 'empty')) >= empty + 5);
  assert.deepEqual(await compare(page), missing);

  // A lost task appears with its next update, unless that is lost too.
  const [first] = missing;
  for (let done = true; (await lost(page)).includes(first); done = !done) {
    await request(server, 'PATCH', `/tasks/${first}`, { done });
    await polls(page, 2);
  }
  await screens(page);

  // With the keyboard alone: add a task and mark it as done.
  await page.getByLabel('New task').focus();
  await page.keyboard.type('<b>Water the plants</b>');
  const posted = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.keyboard.press('Enter');
  await posted;
  const tasks = await request(server, 'GET', '/tasks');
  assert.equal(tasks.at(-1).title, '<b>Water the plants</b>');
  const added = page.getByLabel('<b>Water the plants</b>');
  for (let done = true; await added.count() === 0; done = !done) {
    await polls(page, 2); // The update may have been lost, so there is another one.
    if (await added.count() === 0) await request(server, 'PATCH', `/tasks/${tasks.at(-1).id}`, { done });
  }
  const before = await added.isChecked();
  await added.press('Space');
  await page.waitForFunction(async ([id, before]) => {
    const tasks = await (await fetch('/tasks')).json();
    return tasks.find((task) => task.id === id).done !== before;
  }, [tasks.at(-1).id, before]);
  await context.close();

  // A clock that is 10 seconds ahead: nothing arrives after the first answer.
  const other = await start([DELAY]);
  const ahead = await (await browser.newContext()).newPage();
  await ahead.goto(`${other.url}/?interval=${INTERVAL}&ahead=10`);
  await polls(ahead, 1);
  await addTasks(other);
  await polls(ahead, 3);
  const unseen = await compare(ahead);
  log(`lost with a clock 10 s ahead: ${unseen.length} of ${UPDATES}`);
  assert(unseen.length > UPDATES / 2, `${unseen.length} of ${UPDATES} were lost`);
  await screens(ahead, '08_tasks_by_time-ahead');
}
