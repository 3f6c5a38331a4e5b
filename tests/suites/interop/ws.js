// npm's `ws`, as a client of the server's /echo, and as a server for the client.
//
//   node ws.js client URL     one line a check, and `N passed`
//   node ws.js server         prints its URL, and echoes until its standard input ends

import { WebSocket, WebSocketServer } from 'ws';

const BIG = 16 << 20;

/** Sends what `say` says, and gives what comes back, up to the close. */
function talk(url, options, say) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options);
    const heard = [];
    socket.on('open', () => say(socket));
    socket.on('message', (data, binary) => {
      heard.push(binary ? data : data.toString());
      socket.emit('heard', heard.length);
    });
    socket.on('pong', (data) => heard.push(`pong ${data}`));
    socket.on('error', reject);
    socket.on('close', (code, reason) => resolve({ heard, code, reason: reason.toString(), extensions: socket.extensions }));
  });
}

function same(one, other, what) {
  if (Buffer.compare(Buffer.from(one), Buffer.from(other)) !== 0) throw new Error(`${what} came back otherwise`);
}

async function client(url) {
  let passed = 0;
  for (const perMessageDeflate of [false, true, { serverNoContextTakeover: true, clientNoContextTakeover: true }, { serverMaxWindowBits: 9 }]) {
    const how = JSON.stringify(perMessageDeflate);
    const text = 'h\u00e9llo '.repeat(2000);
    const binary = Buffer.alloc(70_000, 7);
    const big = Buffer.alloc(BIG);
    for (let at = 0; at < BIG; at += 7) big[at] = at % 251;
    const said = [text, binary, '', text, big];
    const { heard, code, reason, extensions } = await talk(url, { perMessageDeflate, maxPayload: 2 * BIG }, (socket) => {
      said.forEach((message) => socket.send(message));
      socket.on('heard', (count) => { if (count === said.length) socket.close(4321, 'enough'); });
    });
    said.forEach((message, at) => same(heard[at], message, `${how}: message ${at}`));
    if (code !== 4321) throw new Error(`${how}: closed with ${code} ${reason}`);
    if (Boolean(perMessageDeflate) !== (extensions !== '')) throw new Error(`${how}: ${extensions} was agreed on`);
    console.log(`ok      ws, a client, ${how}: text, binary, empty, 16 MiB, close 4321 (agreed: ${extensions || 'nothing'})`);
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
