// 11_deployments: progress arrives step by step in two contexts, 100 requests are answered while
// the work goes on, a client that leaves is noticed, and the pages resume after a restart.

const STEPS = ['fetching the source', 'compiling', 'testing', 'copying', 'switching over', 'finished'];

export async function check({ browser, start, screens, assert, log }) {
  const program = await start();
  const open = async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(program.url);
    await page.getByText('Connected.').waitFor();
    return page;
  };
  const [page, other] = [await open(), await open()];
  // Records each step that the other page shows.
  await other.evaluate(() => {
    window.steps = [];
    new MutationObserver(() => {
      const step = document.querySelector('#deployment-1 span')?.textContent.split(' · ')[0];
      if (step && step !== window.steps.at(-1)) window.steps.push(step);
    }).observe(document.querySelector('#list'), { subtree: true, childList: true, characterData: true });
  });
  const deploy = async (name) => {
    await page.getByLabel('What to deploy').fill(name);
    await page.getByLabel('What to deploy').press('Enter');
  };
  const deployment = (id) => page.locator(`#deployment-${id}`);

  // One is waited for, the other is not.
  await deploy('shop <1>');
  await page.getByText('shop <1>: waiting').waitFor();
  await deploy('blog');
  await deployment(2).getByText('compiling').waitFor();
  await page.locator('#requests li').filter({ hasText: 'blog' }).getByRole('button', { name: 'Leave' }).press('Enter');
  await page.getByText(/blog: you have left after \d/).waitFor();

  // 100 requests are answered while both work.
  await page.getByRole('button', { name: 'Send 100 requests' }).press('Enter');
  const answers = page.getByText('100 of 100 requests were answered');
  await answers.waitFor();
  assert.notEqual(await deployment(1).locator('progress').getAttribute('value'), '100', 'the answers came after the work');
  assert.equal(await page.getByText('finished').count(), 0);
  log(`while two deployments worked: ${await answers.textContent()}`);
  await screens(page);

  await page.getByText(/shop <1>: deployment 1 has finished after \d+\.\d s\./).waitFor();
  await deployment(2).getByText('finished; the client had left').waitFor();
  assert.equal(await deployment(1).locator('span').textContent(), 'finished');
  await other.locator('#deployment-1').getByText('finished').waitFor();
  assert.deepEqual(await other.evaluate(() => window.steps), STEPS);
  log('each step was shown on another page; the client of deployment 2 had left');

  // A reload shows the same list.
  await page.reload();
  await page.getByText('Connected.').waitFor();
  assert.deepEqual(await page.locator('#list h3').allTextContents(), ['2. blog', '1. shop <1>']);
  assert.equal(await deployment(2).locator('progress').getAttribute('value'), '100');

  // The server is killed at work. The pages resume by themselves and follow what is deployed next.
  await deploy('lost');
  await deployment(3).getByText('fetching').waitFor();
  await program.kill();
  await page.getByText(/lost: the connection was lost/).waitFor();
  await program.restart();
  await page.getByText('None yet.').waitFor();
  await page.getByText('Connected.').waitFor();
  await deploy('again');
  await deployment(1).getByText('finished', { exact: true }).waitFor();
  await other.locator('#deployment-1').getByText('finished', { exact: true }).waitFor();
  log('both pages resumed after a restart on the same port');
}
