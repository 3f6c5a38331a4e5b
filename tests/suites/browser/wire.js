// Checks the wire view in the page: it names the bytes of each lane, supports the keyboard, masks
// secrets, and counts bytes.

import { connect } from 'node:net';

/** Returns the fields shown, in order: their side, and their label for screen readers. */
const fields = (page) => page.locator('#wire [role=option]').evaluateAll((options) => options.map((option) => ({
  side: option.closest('.passage').dataset.side, label: option.getAttribute('aria-label'),
})));

const choose = (page, name) => page.locator('#wire').getByRole('radio', { name, exact: true }).check();

const NAMES = {
  publish: 'Publishing', 'short-poll': 'Short polling', 'long-poll': 'Long polling', sse: 'Server-Sent Events', websocket: 'WebSocket',
};

/** Returns a transport's row of the table of counts. */
const tally = (page, transport) => page.locator(`#wire tr[data-transport="${transport}"] td`).evaluateAll((cells) =>
  Object.fromEntries(cells.map((cell) => [cell.dataset.column, Number(cell.textContent.replaceAll(',', ''))])));

/** The detail of the selected field. */
const detail = (page) => page.locator('#wire [data-detail]');

/** Returns the text next to a term of the detail. */
const detailValue = (page, term) => detail(page).locator('dt', { hasText: new RegExp(`^${term}$`) }).locator('xpath=following-sibling::dd[1]').textContent();

const bytesOf = (hex) => Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex');

/** Returns the transport that a request's head asks for, by the server's names. */
function transportOf(head) {
  const [, method, target] = /^([A-Z]+) (\S+) /.exec(head);
  if (target.startsWith('/wire')) return 'wire';
  if (!target.startsWith('/topics/')) return '-';
  if (method === 'POST') return 'publish';
  if (/\r\nUpgrade: websocket\r\n/i.test(head)) return 'websocket';
  if (/\r\nAccept: text\/event-stream\r\n/i.test(head)) return 'sse';
  return /[?&]wait=/.test(target) ? 'long-poll' : 'short-poll';
}

/** Returns the bytes of each transport that a recording proxy saw, in both directions. */
function passed(connections) {
  const sums = {};
  for (const { order } of connections) {
    let transport = '-';
    for (const part of order) {
      // A browser sends the next request only after the previous response.
      if (typeof part === 'string' && /^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(part) && transport !== 'websocket') transport = transportOf(part);
      sums[transport] = (sums[transport] ?? 0) + (typeof part === 'string' ? part.length : part);
    }
  }
  return sums;
}

/** Returns the contrast of two colors, from their relative luminance, as WCAG 2 defines it. */
function contrast(one, other) {
  const luminance = (color) => {
    const [red, green, blue] = /rgb\((\d+), (\d+), (\d+)\)/.exec(color).slice(1).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

export async function checkWire({ check, equal, until, open, serve, recordingProxy, publish, shows, browser, LANES, OUT }) {
  // A separate server, because the view shows all clients of a server.
  const server = await serve();
  const { base } = server;
  const page = await open('wire', {}, base);
  const everywhere = async (text, from = page) => { for (const lane of LANES) await shows(from, lane, text); };
  /** Waits until a field is shown whose label for screen readers begins with this text. */
  const labeled = (label, from = page) => from.locator(`#wire [role=option][aria-label^='${label}']`).last().waitFor({ state: 'attached' });
  /** Releases the held view: moves the focus away from the fields, and the pointer. */
  const release = async (from = page) => {
    await from.mouse.move(0, 0);
    await from.focus('#data');
  };

  /** Checks that the response of a poll contains the event. */
  const polled = async (lane) => {
    await choose(page, NAMES[lane]);
    await labeled('message-body: {"events":[{"id":');
    const all = await fields(page);
    const at = all.findLastIndex(({ label }) => /^message-body: \{"events":\[\{.*"data":"seen on the wire"\}\],"next":"[^"]*"\}\. /.test(label));
    const status = all.slice(0, at).findLast(({ label }) => label.startsWith('status-code: '));
    equal([all[at].side, status.label.startsWith('status-code: 200.')], ['server', true], lane);
  };

  await check('the wire: one publish, and each lane names the bytes of that event', async () => {
    await page.locator('#wire[data-is=open]').waitFor();
    // The view of short polls keeps only some of them. A long interval keeps the right one until it
    // is checked.
    await page.locator('#interval').fill('5000');
    await publish(page, 'seen on the wire');
    await everywhere('seen on the wire');
    await polled('short-poll');

    await choose(page, NAMES.sse);
    await labeled('field value: seen on the wire.');
    let all = await fields(page);
    equal(all[0].side === 'client' && all[0].label.startsWith('method: GET.'), true, 'the lane is shown from its first byte');
    let at = all.findIndex(({ label }) => label.startsWith('field value: seen on the wire.'));
    equal(all.slice(at - 3, at + 2).map(({ label }) => label.split('.')[0]),
      ['field name: data', 'colon: :', 'space:  ', 'field value: seen on the wire', 'end-of-line: \\n'], 'the line of the stream');
    equal(all[at].side, 'server', 'who sent it');

    await choose(page, NAMES.websocket);
    await labeled('Payload Data: {"id":');
    all = await fields(page);
    at = all.findLastIndex(({ label }) => /^Payload Data: \{"id":.*"data":"seen on the wire"\}\. /.test(label));
    const payload = /^Payload Data: (.*\})\. /.exec(all[at].label)[1];
    equal(all.slice(at - 2, at).map(({ label }) => label.split('.')[0]),
      ['FIN, RSV1-3, opcode: FIN, text', `MASK, Payload len: ${payload.length}`], 'the frame');
    equal(all.slice(at - 2, at + 1).map(({ side }) => side), ['server', 'server', 'server'], 'who sent it');

    await polled('long-poll');

    await choose(page, NAMES.publish);
    await labeled('message-body: seen on the wire.');
    all = await fields(page);
    equal(all.find(({ label }) => label.startsWith('message-body: seen on the wire.')).side, 'client', 'who published it');
  });

  await check('the wire: pointing at a field shows its bits and their meaning with the section', async () => {
    await choose(page, NAMES.websocket);
    await page.locator('#wire [role=option][aria-label^="FIN, RSV1-3, opcode: FIN, text"]').last().hover();
    await detail(page).getByText('The last frame of the message.').waitFor();
    const bits = await detail(page).locator('.bits tr').evaluateAll((rows) => rows.map((row) =>
      [row.cells[0].textContent, row.cells[1].textContent, row.querySelector('a').href]));
    const section = (number) => `https://www.rfc-editor.org/rfc/rfc6455#section-${number}`;
    equal(bits, [
      ['1·······', 'FIN', section('5.2')], ['·0······', 'RSV1', section('5.2')], ['··0·····', 'RSV2', section('5.2')],
      ['···0····', 'RSV3', section('5.2')], ['····0001', 'opcode', section('5.6')],
    ], 'bits');
    equal(await detailValue(page, 'bytes'), '81', 'the byte');
    await release();
  });

  await check('the wire: shows a client’s frame masked and unmasked, and a handshake step by step', async () => {
    await page.fill('#send-data', 'masked on its way');
    await page.press('#send-data', 'Enter');
    await everywhere('masked on its way');
    const key = page.locator('#wire .passage[data-side=client] [role=option][aria-label^="Masking-key: "]').last();
    await key.click();
    const mask = bytesOf(await detailValue(page, 'bytes'));
    equal(mask.length, 4, 'the key');
    await page.keyboard.press('ArrowRight');
    const [masked, unmasked] = [bytesOf(await detailValue(page, 'bytes')), bytesOf(await detailValue(page, 'unmasked'))];
    equal([...unmasked], [...masked].map((byte, at) => byte ^ mask[at % 4]), 'unmasked');
    equal(await detailValue(page, 'message'), 'masked on its way', 'the message');
    await page.locator('#wire .passage[data-side=server] [role=option][aria-label*="The blank line ends the head."]').last().click();
    await detail(page).getByText('258EAFA5-E914-47DA-95CA-C5AB0DC85B11').waitFor();
    equal(await detailValue(page, 'sent value'), 'matches', 'the handshake');
    await release();
  });

  await check('the wire: marks the byte that breaks a rule', async () => {
    const { hostname, port } = new URL(base);
    const socket = connect(port, hostname);
    socket.on('error', () => {});
    socket.write('GET /topics/wire HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
      + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n');
    await new Promise((resolve) => { socket.once('data', resolve); });
    socket.write(Buffer.from([0x81, 0x01, 0x78])); // not masked
    const wrong = page.locator('#wire [role=option][data-wrong][aria-label*="Wrong: "]').last();
    await wrong.click();
    await detail(page).getByText('Breaks a rule: A client frame is not masked.').waitFor();
    equal(await detailValue(page, 'bytes'), '01', 'the byte');
    socket.destroy();
    await release();
  });

  await check('the wire: Tab and the arrow keys move between fields, Escape closes the detail', async () => {
    await choose(page, NAMES.sse);
    await page.locator('#wire').getByRole('button', { name: 'Clear the bytes and the counts' }).focus();
    await page.keyboard.press('Tab');
    const option = () => page.evaluate(() => document.activeElement.matches('#wire [role=option]') && document.activeElement.getAttribute('aria-label'));
    const all = (await fields(page)).map(({ label }) => label);
    equal(await option(), all[0], 'the target of Tab');
    for (const [key, at] of [['ArrowRight', 1], ['ArrowRight', 2], ['ArrowLeft', 1], ['End', all.length - 1], ['ArrowRight', all.length - 1],
      ['Home', 0], ['ArrowDown', 1]]) {
      await page.keyboard.press(key);
      equal(await option(), all[at], key);
      const name = await detail(page).locator('h3').textContent();
      equal(all[at].startsWith(`${name}: `), true, `the detail of ${all[at]}`);
      equal(await page.locator('#wire [role=option][tabindex="0"]').count(), 1, 'fields that Tab reaches');
      equal(await page.locator('#wire [role=option][aria-selected=true]').getAttribute('aria-label'), all[at], 'the selected field');
    }
    await page.keyboard.press('PageDown');
    const passages = await page.locator('#wire .passage').evaluateAll((groups) => groups.map((group) => group.querySelector('[role=option]')?.getAttribute('aria-label')));
    equal(await option(), passages[1], 'Page Down');
    await page.keyboard.press('Tab');
    equal(await page.evaluate(() => document.activeElement.closest('[data-detail]') !== null && document.activeElement.href.startsWith('https://')), true, 'the link');
    await page.keyboard.press('Escape');
    equal(await option(), passages[1], 'after Escape');
    equal(await detail(page).getAttribute('data-open'), null, 'the detail');
    await page.keyboard.press('ArrowRight');
    equal(await detail(page).getAttribute('data-open'), '', 'the detail, again');
    await release();
  });

  await check('the wire: stops while a field is viewed, and while it is paused', async () => {
    const count = () => page.locator('#wire [role=option]').count();
    await page.locator('#wire [role=option]').last().click();
    const before = await count();
    await fetch(`${base}/topics/wire`, { method: 'POST', body: 'while you look' });
    await shows(page, 'sse', 'while you look');
    await page.locator('#wire [data-held]', { hasText: /^Held while you look at a field; .+ newer/ }).waitFor();
    equal(await count(), before, 'fields, held');
    await release();
    await labeled('field value: while you look.');

    await page.locator('#wire [data-pause]').click();
    const paused = await count();
    await fetch(`${base}/topics/wire`, { method: 'POST', body: 'while it is paused' });
    await shows(page, 'sse', 'while it is paused');
    await page.locator('#wire [data-held]', { hasText: /^Paused; .+ newer/ }).waitFor();
    equal(await count(), paused, 'fields, paused');
    await page.locator('#wire [data-pause]').click();
    await labeled('field value: while it is paused.');
  });

  await check('the wire: keeps only the newest of many fields and says so; Clear clears', async () => {
    const lines = Array.from({ length: 400 }, (_, at) => `line ${at}`).join('\n');
    await fetch(`${base}/topics/wire`, { method: 'POST', body: lines, headers: { 'Content-Type': 'application/x-ndjson' } });
    await labeled('field value: line 399.');
    const shown = await page.locator('#wire [role=option]').count();
    if (shown > 500) throw new Error(`${shown} fields are shown`);
    await page.locator('#wire [data-held]', { hasText: /older ones were dropped/ }).waitFor();
    await page.locator('#wire [data-clear]').click();
    await until(page, () => document.querySelectorAll('#wire [role=option]').length === 0);
    await release();
    await publish(page, 'after the clearing');
    await labeled('field value: after the clearing.');
    const all = await tally(page, 'sse');
    equal([all.events, all.data], [1, 'after the clearing'.length], 'the counts, from then on');
  });

  await check('the wire: shows a single connection alone, and marks one that has ended', async () => {
    await fetch(`${base}/topics/wire`, { method: 'POST', body: 'by itself', headers: { Connection: 'close' } });
    await choose(page, NAMES.publish);
    await labeled('message-body: by itself.');
    const group = await page.locator('#wire .passage', { has: page.locator('[role=option][aria-label^="message-body: by itself."]') }).getAttribute('aria-label');
    const name = /connection \d+/.exec(group)[0].replace('c', 'C');
    const entry = page.locator('#wire [data-connections] label', { has: page.getByText(name, { exact: true }) });
    await entry.and(page.locator('[data-is=ended]')).waitFor();
    equal(/^Publishing, .*, ended$/.test(await entry.locator('.sub').textContent()), true, 'the description of the connection');
    await entry.locator('input').check();
    await labeled('message-body: by itself.');
    const heads = await page.locator('#wire .passage').evaluateAll((groups) => groups.map((group) => group.getAttribute('aria-label').split(',')[1]));
    equal(new Set(heads).size, 1, 'connections');
    await choose(page, NAMES.sse);
  });

  await check('the wire: counts exactly the bytes of each transport', async () => {
    const quiet = await serve();
    const proxy = await recordingProxy(quiet.base);
    const fresh = await open('counts', {}, proxy.base);
    for (const number of [1, 2, 3]) {
      await publish(fresh, `event ${number}`);
      await everywhere(`event ${number}`, fresh);
    }
    await fresh.fill('#send-data', 'over the socket');
    await fresh.press('#send-data', 'Enter');
    await everywhere('over the socket', fresh);
    // The sums keep changing, but not between two short polls.
    await fresh.locator('#interval').fill('5000');
    const same = async () => {
      const sums = passed(proxy.connections);
      const displayed = {};
      for (const transport of Object.keys(NAMES)) {
        const { data, overhead } = await tally(fresh, transport);
        displayed[transport] = data + overhead;
      }
      return [displayed, Object.fromEntries(Object.keys(NAMES).map((transport) => [transport, sums[transport]]))];
    };
    for (let tries = 0; tries < 100; tries += 1) {
      const [displayed, actual] = await same();
      if (JSON.stringify(displayed) === JSON.stringify(actual)) break;
      await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
    equal(...await same(), 'bytes');
    for (const lane of LANES) {
      const { events } = await tally(fresh, lane);
      equal(events, Number(await fresh.locator(`#${lane} [data-count=events]`).textContent()), `events of ${lane}`);
    }
    equal((await tally(fresh, 'publish')).events, 3, 'published');
    const { data } = await tally(fresh, 'sse');
    equal(data, 3 * 'event 1'.length + 'over the socket'.length, 'data of the stream');
    await fresh.context().close();
    proxy.end();
    await quiet.end();
  });

  await check('the wire: masks tokens', async () => {
    const guarded = await serve('127.0.0.1:0', '--follow-token', 'may-read', '--publish-token', 'may-write');
    const fresh = await open('demo&access_token=may-write', {}, guarded.base);
    await fresh.locator('#wire[data-is=open]').waitFor();
    await publish(fresh, 'a secret was needed');
    await everywhere('a secret was needed', fresh);
    const hex = [...Buffer.from('may-write')].map((byte) => byte.toString(16)).join(' ');
    for (const name of Object.values(NAMES)) {
      await choose(fresh, name);
      const at = name === NAMES.websocket ? 'request-target: /topics/demo?' : 'field-name: authorization.';
      await fresh.locator(`#wire [role=option][aria-label^="${at}" i]`).first().waitFor({ state: 'attached' });
      const shown = await fresh.locator('#wire').evaluate((wire) =>
        wire.textContent + [...wire.querySelectorAll('[aria-label]')].map((named) => named.getAttribute('aria-label')).join(' '));
      if (shown.includes('may-write')) throw new Error(`${name} shows the token`);
      // Rows are split at 16 bytes, so a row may show only a part of the token's hexadecimal
      // digits.
      if (shown.includes(hex.slice(0, 14)) || shown.includes(hex.slice(-14))) throw new Error(`${name} shows the token’s bytes`);
      if (!shown.includes('•• ••') || !shown.includes('****')) throw new Error(`${name} shows no mask`);
    }
    equal(fresh.errors, [], 'errors');
    await fresh.context().close();
    await guarded.end();
  });

  await check('the wire: if it is not available the page says why, and the lanes still work', async () => {
    for (const [options, status, words] of [
      [['127.0.0.1:0', '--no-wire'], 404, '--wire'],
      [['0.0.0.0:0', '--wire', '--wire-only', '99999'], 403, '--follow-token'], // standard error shows nothing
    ]) {
      const shut = await serve(...options);
      const fresh = await open('demo', {}, shut.base.replace('0.0.0.0', '127.0.0.1'));
      await fresh.locator('#wire[data-is=ended] .state', { hasText: String(status) }).waitFor();
      await fresh.locator('#wire [data-why]', { hasText: words }).waitFor();
      await publish(fresh, 'without the view');
      await everywhere('without the view', fresh);
      await fresh.context().close();
      await shut.end();
    }
    const guarded = await serve('127.0.0.1:0', '--follow-token', 'may-read');
    const refused = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await refused.goto(guarded.base);
    await refused.locator('#wire [data-why]', { hasText: 'access_token' }).waitFor();
    await refused.close();
    await guarded.end();
  });

  await check('the wire: a closed panel stays closed in this tab and follows nothing; on a narrow screen it starts closed', async () => {
    await page.locator('#wire summary').click();
    await page.locator('#wire[data-is=closed]').waitFor();
    await page.reload();
    await page.locator('html[data-ready]').waitFor({ state: 'attached' });
    equal(await page.locator('#wire').evaluate((panel) => [panel.open, panel.dataset.is]), [false, 'closed'], 'the panel');
    await page.locator('#wire summary').click();
    await page.locator('#wire[data-is=open]').waitFor();
    const narrow = await open('wire', { viewport: { width: 390, height: 844 } }, base);
    equal(await narrow.locator('#wire').evaluate((panel) => panel.open), false, 'on a narrow screen');
    await narrow.locator('#wire summary').click();
    await publish(narrow, 'on a narrow screen');
    await narrow.locator('#wire [role=option][aria-label^="field value: on a narrow screen."]').first().waitFor();
    for (const key of ['field value: on a narrow screen.', 'chunk-size']) await narrow.locator(`#wire [role=option][aria-label^="${key}"]`).last().click();
    for (const what of ['html', '#wire [data-fields]']) {
      const [inner, content] = await narrow.locator(what).evaluate((element) => [element.clientWidth, element.scrollWidth]);
      if (content > inner) throw new Error(`${what}: the content is ${content} px wide in ${inner} px`);
    }
    await narrow.context().close();
  });

  await check('the wire: the text has enough contrast in all field colors, light and dark', async () => {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const colors = await page.evaluate(() => {
        // The kinds of fields, and a field that breaks a rule.
        const wrong = document.querySelector('#wire .kinds .part').cloneNode(true);
        wrong.dataset.wrong = '';
        document.querySelector('#wire .kinds').append(wrong);
        const colors = [...document.querySelectorAll('#wire .kinds .part')].map((part) => {
          const { color, backgroundColor } = getComputedStyle(part);
          return [part.dataset.wrong === undefined ? part.dataset.kind : 'wrong', color, backgroundColor];
        });
        wrong.remove();
        return colors;
      });
      equal(colors.length, 11, 'kinds');
      for (const [kind, color, background] of colors) {
        const ratio = contrast(color, background);
        if (!(ratio >= 4.5)) throw new Error(`${kind}, ${colorScheme}: ${ratio.toFixed(2)}`);
      }
      const looks = await page.locator('#wire .kinds .part').evaluateAll((parts) => parts.map((part) => {
        const { fontWeight, fontStyle, textDecorationLine, textDecorationStyle, textDecorationThickness, color } = getComputedStyle(part);
        return [fontWeight, fontStyle, textDecorationLine, textDecorationStyle, textDecorationThickness, color].join();
      }));
      equal(new Set(looks).size, looks.length, 'kinds that differ in more than their color');
    }
    await page.emulateMedia({ colorScheme: 'light' });
  });

  await check('the wire: screenshots', async () => {
    const quiet = await serve();
    const picture = await open('demo', { deviceScaleFactor: 2, viewport: { width: 1280, height: 2200 } }, quiet.base);
    await publish(picture, 'hello, four ways');
    await everywhere('hello, four ways', picture);
    await picture.fill('#send-data', 'sent over the socket');
    await picture.press('#send-data', 'Enter');
    await everywhere('sent over the socket', picture);
    await choose(picture, NAMES.websocket);
    await picture.locator('#wire .passage[data-side=server] [role=option][aria-label^="FIN, RSV1-3, opcode: FIN, text"]').last().click();
    await picture.mouse.move(0, 0);
    const box = await picture.locator('#wire').evaluate((wire) => {
      const { top, height } = wire.getBoundingClientRect();
      return { x: 0, y: top, width: innerWidth, height };
    });
    await picture.screenshot({ path: `${OUT}wire.png`, clip: box });
    for (const colorScheme of ['light', 'dark']) {
      await picture.emulateMedia({ colorScheme });
      for (const width of [1280, 390]) {
        await picture.setViewportSize({ width, height: 2200 });
        await picture.locator('#wire [aria-selected=true]').scrollIntoViewIfNeeded();
        await picture.locator('#wire').screenshot({ path: `${OUT}wire-${colorScheme}-${width}.png` });
      }
    }
    await picture.context().close();
    await quiet.end();
  });
  await check('the wire: no errors are logged', async () => equal(page.errors, [], 'errors'));
  await page.context().close();
  await server.end();
}
