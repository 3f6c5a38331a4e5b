// The chat: two rooms, a tab that dies, and a server that ends.

/** Enters a room in a page of its own. */
async function enter(context, url, room, name) {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByLabel('Room').fill(room);
  await page.getByLabel('Your name').fill(name);
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: `You are ${name}.` }).waitFor();
  return page;
}

/** Sends a message with the keyboard, and waits until the page has received it back. */
async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
  await page.locator('#log li.mine', { hasText: text }).waitFor();
}

/** Waits until the page lists exactly these names. */
const isHere = (page, ...names) => page.waitForFunction(
  (names) => [...document.querySelectorAll('#here li')].map((item) => item.textContent).join() === names.join(), names);

/** Returns what was said in the page's room, in order. */
const said = (page) => page.locator('#log li:not(.note)').evaluateAll((items) => items.map((item) => item.lastChild.data));

export async function check({ browser, start, screens, assert, log }) {
  const app = await start();
  const [first, second] = [await browser.newContext(), await browser.newContext()];
  const ann = await enter(first, app.url, 'tea', 'Ann');
  const bob = await enter(second, app.url, 'tea', 'Bob');
  const eve = await enter(second, app.url, 'coffee', 'Eve');
  await isHere(ann, 'Ann', 'Bob');
  await isHere(bob, 'Ann', 'Bob');
  await isHere(eve, 'Eve');

  await say(ann, 'Is the kettle on?');
  await say(eve, 'One espresso, please.');
  await say(bob, 'Since five minutes ago. <b>Two cups?</b>');
  await say(ann, 'Yes, and I bring the biscuits that are left over from yesterday, if nobody has eaten them.');
  const inTea = await said(ann);
  assert.equal(inTea.length, 3);
  await bob.locator('#log li', { hasText: 'biscuits' }).waitFor();
  assert.deepEqual(await said(bob), inTea, 'both in the room see the same');
  assert.deepEqual(await said(eve), ['One espresso, please.'], 'the rooms do not mix');
  assert.equal(await ann.getByLabel('Message', { exact: true }).inputValue(), '', 'the message was received back');

  // A newcomer receives the history.
  const dan = await enter(first, app.url, 'tea', 'Dan');
  await dan.locator('#log li', { hasText: 'biscuits' }).waitFor();
  assert.deepEqual(await said(dan), inTea);
  await isHere(ann, 'Ann', 'Bob', 'Dan');
  await screens(ann);

  // A tab that crashes is gone from the list. Its process is killed, so it closes nothing itself.
  const killed = performance.now();
  await Promise.all([dan.waitForEvent('crash'), dan.goto('chrome://crash').catch(() => {})]);
  await isHere(ann, 'Ann', 'Bob');
  const seconds = (performance.now() - killed) / 1000;
  assert(seconds < 15, `the killed tab was listed for ${seconds} s; ping and pong take 10 s`);
  await ann.locator('#log li.note', { hasText: 'Dan has left' }).waitFor();
  log(`the killed tab was gone after ${seconds.toFixed(1)} s`);

  // A page that leaves and returns sees what was said meanwhile, and nothing twice.
  await second.setOffline(true);
  await bob.getByRole('button', { name: 'Leave' }).click();
  await isHere(ann, 'Ann');
  await say(ann, 'Bob?');
  await second.setOffline(false);
  await bob.getByRole('button', { name: 'Enter' }).click();
  await bob.locator('#log li', { hasText: 'Bob?' }).waitFor();
  assert.deepEqual(await said(bob), [...inTea, 'Bob?']);

  // After a restart of the server, the pages return by themselves and know that events are missing.
  await app.kill();
  await ann.getByRole('status').filter({ hasText: 'No connection' }).waitFor();
  await ann.getByLabel('Message', { exact: true }).fill('not lost');
  await ann.keyboard.press('Enter');
  assert.equal(await ann.getByLabel('Message', { exact: true }).inputValue(), 'not lost');
  await app.restart();
  for (const page of [ann, bob]) {
    await page.locator('#log li.note', { hasText: 'Some messages are missing here' }).waitFor();
    await isHere(page, 'Ann', 'Bob');
  }
  await say(ann, 'not lost');
  await bob.locator('#log li', { hasText: 'not lost' }).waitFor();
  assert.deepEqual(await said(bob), [...inTea, 'Bob?', 'not lost']);
}
