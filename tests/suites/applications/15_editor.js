// Two people type at once over connections that are cut: both pages and the server end with the same text.

import { connect, createServer } from 'node:net';

/** Starts a proxy whose connections can be cut. */
async function cuttable(port) {
  const sockets = new Set();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const [one, other] of [[client, server], [server, client]]) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => { sockets.delete(one); other.destroy(); });
    }
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    cut() {
      const count = sockets.size / 2;
      for (const socket of sockets) socket.resetAndDestroy();
      return count;
    },
    close: () => proxy.close(),
  };
}

export async function check({ browser, start, screens, assert, log }) {
  const program = await start();
  const proxy = await cuttable(program.port);
  const pages = [];
  for (let count = 0; count < 2; count += 1) {
    const page = await (await browser.newContext()).newPage();
    await page.goto(proxy.url);
    pages.push(Object.assign(page, { area: page.getByLabel('Editor') }));
  }
  const [ann, ben] = pages;
  const serverText = async () => (await (await fetch(`${program.url}/text`)).json()).text;
  const saved = (page) => page.getByText('Saved', { exact: true }).waitFor();

  /** Waits until everything is saved and received. Returns the text, which is the same everywhere. */
  async function settled() {
    await Promise.all(pages.map(saved));
    const expected = await serverText();
    for (const page of pages) {
      await page.waitForFunction((text) => document.getElementById('text').value === text, expected);
    }
    await Promise.all(pages.map(saved));
    assert.equal(await serverText(), expected);
    return expected;
  }

  // Both type at the same place: the words of each stay together.
  await Promise.all(pages.map(saved));
  await Promise.all(pages.map((page) => page.area.focus()));
  await Promise.all([ann.keyboard.type('by Ann', { delay: 5 }), ben.keyboard.type('by Ben', { delay: 5 })]);
  const together = await settled();
  assert(['by Annby Ben', 'by Benby Ann'].includes(together), together);

  await ann.area.fill('Ann: \nBen: ');
  await settled();
  for (const [page, line] of [[ann, 'Ann: '], [ben, 'Ann: \nBen: ']]) {
    await page.area.focus();
    await page.area.evaluate((area, at) => area.setSelectionRange(at, at), line.length);
  }

  // Both type at once, and only the server's order decides. The caret of each stays in its line.
  const byAnn = Array.from({ length: 40 }, (_, index) => `a${index}😀`).join(' ');
  const byBen = Array.from({ length: 40 }, (_, index) => `b${index}😁`).join(' ');
  let isTyping = true;
  let cuts = 0;
  const cutting = (async () => {
    while (isTyping) {
      await new Promise((resolve) => { setTimeout(resolve, 700); });
      cuts += proxy.cut();
    }
  })();
  await Promise.all([ann.keyboard.type(byAnn, { delay: 15 }), ben.keyboard.type(byBen, { delay: 15 })]);
  isTyping = false;
  await cutting;
  assert.equal(await settled(), `Ann: ${byAnn}\nBen: ${byBen}`);
  assert(cuts >= 4, `only ${cuts} connections were cut`);

  // Both change the same characters; the emoji differ in their second code unit only.
  await ann.area.fill('one 😀 two');
  await settled();
  proxy.cut();
  await Promise.all([ann.area.fill('one 😁 two'), ben.area.fill('one 😀 two three')]);
  assert.equal(await settled(), 'one 😁 two three');

  // While an input method composes text, an edit of somebody else waits.
  const input = await ann.context().newCDPSession(ann);
  await ann.area.press('End');
  await input.send('Input.imeSetComposition', { text: 'に', selectionStart: 1, selectionEnd: 1 });
  await ben.area.press('Home');
  await ben.keyboard.type('> ');
  await ben.getByText('Saved', { exact: true }).waitFor();
  await input.send('Input.imeSetComposition', { text: 'にほ', selectionStart: 2, selectionEnd: 2 });
  assert.equal(await ann.area.inputValue(), 'one 😁 two threeにほ');
  await input.send('Input.insertText', { text: '日本' });
  assert.equal(await settled(), '> one 😁 two three日本');

  // What is written without a server is kept. What the server had accepted is lost with its memory.
  await program.kill();
  await ann.getByText('Offline').waitFor();
  await ann.area.press('End');
  await ann.keyboard.type('!');
  await program.restart();
  assert.equal(await settled(), '!');

  const events = await (await fetch(`${program.url}/edits?since=start`)).json();
  assert.equal(events.events.length, 1);
  log(`${cuts} connections were cut while both typed ${byAnn.length + byBen.length} code units`);

  await ann.area.fill(`Groceries for Saturday

Bread, olives, two lemons
Tomatoes, if there are good ones
Coffee (Ben)

We meet at ten in front of the market hall.`);
  await settled();
  await screens(ann);
  proxy.close();
}
