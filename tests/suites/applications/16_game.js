// Two players see each other move, 60 times a second, while a player that does not read is skipped.

/** The seconds of one measurement, and how often it is repeated on a machine that is busy. */
const SECONDS = 5;
const ATTEMPTS = 4;

export async function check({ browser, start, screens, assert, log }) {
  const program = await start();
  const open = async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(program.url);
    await page.getByText('You are player').waitFor();
    return page;
  };
  const [ann, ben] = [await open(), await open()];
  for (const page of [ann, ben]) await page.waitForFunction('players.length === 2');
  const numberOf = async (page) => Number(/\d+/.exec(await page.locator('#state').textContent())[0]);
  const [numberOfAnn, numberOfBen] = [await numberOf(ann), await numberOf(ben)];
  assert.notEqual(numberOfAnn, numberOfBen);

  /** Returns where `page` sees a player. */
  const place = (page, number) => page.evaluate((wanted) => players.find((player) => player.number === wanted), number);
  /** Waits until `page` sees the player where `condition` is true. */
  const until = (page, number, condition) => page.waitForFunction(
    ([wanted, text]) => new Function('{ x, y }', `return ${text}`)(players.find((player) => player.number === wanted)),
    [number, condition],
  );

  // The keys move the dot as far as the border, and the other player sees it.
  await ann.keyboard.down('ArrowRight');
  await ann.keyboard.down('ArrowDown');
  await until(ben, numberOfAnn, 'x === 65535 && y === 65535');
  await ann.keyboard.up('ArrowDown');
  await ann.keyboard.up('ArrowRight');
  await ann.keyboard.down('ArrowLeft');
  await until(ben, numberOfAnn, 'x < 50000 && y === 65535');
  await ann.keyboard.up('ArrowLeft');

  // The dot follows the pointer while it is pressed, and arrives there. The field has a border of 5 %.
  const box = await ben.locator('#field').boundingBox();
  await ben.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.75);
  await ben.mouse.down();
  await until(ann, numberOfBen, 'Math.hypot(x - 0.222 * 65535, y - 0.778 * 65535) < 1500');
  await ben.mouse.up();
  await ann.waitForTimeout(300);
  const before = await place(ann, numberOfBen);
  await ben.mouse.move(box.x + 5, box.y + 5);
  await ann.waitForTimeout(300);
  assert.deepEqual(await place(ann, numberOfBen), before);

  /** Counts the messages of a page, and the ticks that they name, per second. */
  const measure = (page) => page.evaluate((seconds) => new Promise((resolve) => {
    let [count, first, began] = [0];
    const counting = new WebSocket(`ws://${location.host}/play`);
    counting.binaryType = 'arraybuffer';
    counting.onmessage = ({ data }) => {
      if (typeof data === 'string') return;
      const tick = new DataView(data).getUint32(0, true);
      if (first === undefined) [first, began] = [tick, performance.now()];
      const elapsed = (performance.now() - began) / 1000;
      if (elapsed >= seconds) {
        counting.close();
        resolve({ messages: count / elapsed, ticks: (tick - first) / elapsed });
      }
      count += 1;
    };
  }), SECONDS);
  /** Measures until both rates are 60 ± 2, which a busy machine may prevent for a while. */
  async function keepsRate(page, what) {
    for (let attempt = 1; ; attempt += 1) {
      const { messages, ticks } = await measure(page);
      log(`${what}: ${messages.toFixed(2)} messages and ${ticks.toFixed(2)} ticks a second`);
      if (Math.abs(messages - 60) <= 2 && Math.abs(ticks - 60) <= 2) return;
      assert(attempt < ATTEMPTS, `${what}: the rate is not 60 ± 2`);
    }
  }
  await keepsRate(ann, 'two players');
  const shown = Number(await ann.locator('#rate').textContent());
  assert(shown > 0, `the page shows ${shown}`);

  // A page that is busy does not read. The others keep their rate, and it sees the present afterwards.
  const blocked = ben.evaluate(() => { const end = performance.now() + 6000; while (performance.now() < end); });
  await keepsRate(ann, 'one of them busy');
  await blocked;
  await ann.keyboard.down('ArrowUp');
  await until(ben, numberOfAnn, 'y < 40000');
  await ann.keyboard.up('ArrowUp');

  // A player that leaves disappears, and one returns by itself after a restart.
  await ben.context().close();
  await ann.waitForFunction('players.length === 1');
  await program.kill();
  await ann.getByText('No connection').waitFor();
  await program.restart();
  await ann.getByText('You are player').waitFor();
  await ann.waitForFunction('players.length === 1');

  // Four more players, without a page that is drawn.
  await ann.evaluate(() => { window.others = [1, 2, 3, 4].map(() => new WebSocket(`ws://${location.host}/play`)); });
  await ann.waitForFunction("document.getElementById('count').textContent === '5'");
  await ann.waitForFunction("Number(document.getElementById('rate').textContent) > 50");
  await screens(ann);
}
