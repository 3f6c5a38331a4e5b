// npm's `ws` as an echo server, and as an echo client that asks a conformance suite for its cases.
//
//   node ws.js server                                        prints its address, echoes until killed
//   node ws.js client ws://HOST:PORT AGENT [--without-context]

import { WebSocket, WebSocketServer } from 'ws';
import { runCases } from './cases.js';

/** Larger than the largest message of a suite, 16 MiB. */
const MAX_PAYLOAD = 32 << 20;

/** Echoes every message until the socket has closed. The suite judges how it closes. */
function echo(socket) {
  socket.on('error', () => {});
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  return new Promise((resolve) => socket.on('close', resolve));
}

const [role, suite, agent, option] = process.argv.slice(2);
if (role === 'server') {
  const perMessageDeflate = { threshold: 0, concurrencyLimit: 4 };
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate, maxPayload: MAX_PAYLOAD });
  server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
  server.on('connection', echo);
} else {
  const perMessageDeflate = { threshold: 0, ...(option === '--without-context' && { clientNoContextTakeover: true }) };
  await runCases(suite, agent, (url, onText) => {
    const socket = new WebSocket(url, { perMessageDeflate, maxPayload: MAX_PAYLOAD });
    if (!onText) return echo(socket);
    // A `close` event follows each `error`.
    socket.on('error', () => {}).on('message', (data) => onText(data.toString()));
    return new Promise((resolve) => socket.on('close', resolve));
  });
}
