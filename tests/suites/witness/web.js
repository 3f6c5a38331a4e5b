// The WebSocket of browsers as an echo client that asks a conformance suite for its cases. Bun
// brings its own; in Node it is that of npm's `undici`.
//
//   node web.js ws://HOST:PORT AGENT
//   bun web.js ws://HOST:PORT AGENT

import { runCases } from './cases.js';

const WebSocket = globalThis.Bun ? globalThis.WebSocket : (await import('undici')).WebSocket;

const [suite, agent] = process.argv.slice(2);
await runCases(suite, agent, (url, onText) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => (onText ? onText(data) : socket.send(data));
  // A `close` event follows each `error`.
  socket.onerror = () => {};
  socket.onclose = resolve;
}));
