// 10_notifications: ada and ben in two contexts. Only ada sees what is for ada, a reload keeps what
// is unread, and both pages resume by themselves after a cut connection and after a restart.

import { connect, createServer } from 'node:net';

/** Starts a proxy in front of a port, whose connections can be cut. */
async function cuttable(port) {
  const sockets = new Set();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const [one, other] of [[client, server], [server, client]]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => { sockets.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return { url: `http://127.0.0.1:${proxy.address().port}`, cut, end: () => { proxy.close(); cut(); } };
}

export async function check({ browser, start, screens, assert, log }) {
  const program = await start();
  const proxy = await cuttable(program.port);
  const notify = async (account, text) => {
    const response = await fetch(`${program.url}/notify/${account}`, { method: 'POST', body: text });
    assert.equal(response.status, 201);
  };
  const open = async (account) => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(proxy.url);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.locator('#login').getByLabel('Account').selectOption(account);
    await page.getByRole('button', { name: 'Log in' }).press('Enter');
    await page.getByText('Connected.').waitFor();
    return page;
  };
  const texts = (page) => page.locator('li span').allTextContents();
  const unread = (page) => page.locator('li:not(.read) span').allTextContents();

  const [ada, ben] = [await open('ada'), await open('ben')];

  // What is for one account reaches its page only. Each marker comes last in its own topic.
  await notify('ada', '<b>The build</b> has failed');
  await notify('ben', 'Lunch?');
  await notify('ada', 'The build is green again');
  await ada.getByText('green again').waitFor();
  await ben.getByText('Lunch?').waitFor();
  assert.deepEqual(await texts(ada), ['The build is green again', '<b>The build</b> has failed']);
  assert.deepEqual(await texts(ben), ['Lunch?']);
  const stolen = await ben.evaluate(async () => (await fetch('/notifications?since=start')).json());
  assert.deepEqual(stolen.events.map(({ data }) => data), ['Lunch?'], 'ben has asked for every event');
  assert.equal(await ada.title(), '(2) Notifications');

  // One page of ada marks one as read; another page of ada shows it, and a reload keeps it.
  const second = await ada.context().newPage();
  await second.goto(proxy.url);
  await second.getByText('Connected.').waitFor();
  await ada.getByRole('button', { name: 'Mark as read' }).last().press('Enter');
  await ada.locator('li.read').waitFor();
  await second.locator('li.read').waitFor();
  for (const page of [ada, second]) assert.equal(await page.locator('#count').textContent(), '1');
  await notify('ada', 'Deployment 3 is over.\nIt took 5 seconds.');
  await ada.getByText('Deployment 3').waitFor();
  await screens(ada);
  await ada.reload();
  await ada.getByText('Connected.').waitFor();
  assert.deepEqual(await texts(ada), ['Deployment 3 is over.\nIt took 5 seconds.', 'The build is green again']);
  assert.equal(await ada.locator('#count').textContent(), '2');

  // The connections are cut, and events are published meanwhile: each page receives its own once.
  proxy.cut();
  await notify('ada', 'while ada was away');
  await notify('ben', 'while ben was away');
  await ada.getByText('while ada').waitFor();
  await ben.getByText('while ben').waitFor();
  assert.equal((await texts(ada)).filter((text) => text === 'while ada was away').length, 1);
  assert.deepEqual(await texts(ben), ['while ben was away', 'Lunch?']);
  log('resumed after a cut connection, without a loss or a repetition');

  await ada.getByRole('button', { name: 'Mark all as read' }).press('Enter');
  await ada.locator('#count').waitFor({ state: 'hidden' });
  await ada.reload();
  await ada.getByText('Nothing is unread.').waitFor();

  // The server is killed and started again on its port. Its memory is lost, the login is not.
  await program.kill();
  await ben.getByText('Reconnecting').waitFor();
  await program.restart();
  await ben.getByText('Connected.').waitFor();
  await ben.getByText('Nothing is unread.').waitFor();
  await notify('ben', 'after the restart');
  await notify('ada', 'ada again');
  await ben.getByText('after the restart').waitFor();
  await ada.getByText('ada again').waitFor();
  assert.deepEqual(await unread(ben), ['after the restart']);
  assert.deepEqual(await unread(ada), ['ada again']);
  log('resumed after a restart on the same port');

  // After a logout, the page follows nothing, and another account can log in.
  await ben.getByRole('button', { name: 'Log out' }).click();
  await ben.getByText('You are not logged in.').waitFor();
  assert.deepEqual(await texts(ben), []);
  const refused = await ben.evaluate(async () => (await fetch('/notifications')).status);
  assert.equal(refused, 403);
  await screens(ben, '10_notifications-login');

  // The form of the page works, from the keyboard alone.
  await ben.locator('#notify').getByLabel('Account').selectOption('ada');
  await ben.getByLabel('Text').fill('from the form');
  await ben.getByLabel('Text').press('Enter');
  await ben.getByText('Sent to ada.').waitFor();
  await ada.getByText('from the form').waitFor();
  proxy.end();
}
