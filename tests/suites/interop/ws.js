// npm's `ws`, as a client of the server's /echo and as a server for barewire's client.
//
//   node ws.js client URL     prints one line per check, then `N passed`
//   node ws.js server         prints its URL, then echoes until its standard input ends

import { WebSocket, WebSocketServer } from 'ws';

const BIG = 16 << 20;

/**
 * Connects, calls `send` when the socket opens, and resolves with everything received when it has
 * closed.
 */
function exchange(url, options, send) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options);
    const received = [];
    socket.on('open', () => send(socket));
    socket.on('message', (data, binary) => {
      received.push(binary ? data : data.toString());
      socket.emit('received', received.length);
    });
    socket.on('pong', (data) => received.push(`pong ${data}`));
    socket.on('error', reject);
    socket.on('close', (code, reason) => resolve({ received, code, reason: reason.toString(), extensions: socket.extensions }));
  });
}

function same(one, other, what) {
  if (Buffer.compare(Buffer.from(one), Buffer.from(other)) !== 0) throw new Error(`${what}: the echo differs`);
}

async function client(url) {
  let passed = 0;
  for (const perMessageDeflate of [false, true, { serverNoContextTakeover: true, clientNoContextTakeover: true }, { serverMaxWindowBits: 9 }]) {
    const offer = JSON.stringify(perMessageDeflate);
    const text = 'h\u00e9llo '.repeat(2000);
    const binary = Buffer.alloc(70_000, 7);
    const big = Buffer.alloc(BIG);
    for (let at = 0; at < BIG; at += 7) big[at] = at % 251;
    const sent = [text, binary, '', text, big];
    const { received, code, reason, extensions } = await exchange(url, { perMessageDeflate, maxPayload: 2 * BIG }, (socket) => {
      sent.forEach((message) => socket.send(message));
      socket.on('received', (count) => { if (count === sent.length) socket.close(4321, 'enough'); });
    });
    sent.forEach((message, at) => same(received[at], message, `${offer}: message ${at}`));
    if (code !== 4321) throw new Error(`${offer}: closed with ${code} ${reason}`);
    if (Boolean(perMessageDeflate) !== (extensions !== '')) throw new Error(`${offer}: the agreed extensions are “${extensions}”`);
    console.log(`ok      ws as a client, ${offer}: text, binary, empty, 16 MiB, close 4321 (agreed: ${extensions || 'nothing'})`);
    passed += 1;
  }
  console.log(`${passed} passed, 0 failed`);
}

function server() {
  const listening = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 }, maxPayload: 2 * BIG });
  listening.on('listening', () => console.log(`ws://127.0.0.1:${listening.address().port}/`));
  listening.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

const [role, url] = process.argv.slice(2);
if (role === 'server') server();
else await client(url);
