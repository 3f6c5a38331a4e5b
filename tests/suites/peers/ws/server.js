// A server on npm's `ws` and Node's own `http`: echo, and a topic to follow over WebSockets, event
// streams, long polls and short polls.
//
//   node server.js PORT

import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

/** The number of events kept for polls. */
const KEPT = 1024;

const log = [];
let last = 0;
const sockets = new Set();
const streams = new Set();
/** The held long polls, which all wait for the next event: each response with its timer. */
let held = new Map();

function publish(data) {
  last += 1;
  log.push({ id: last, data });
  if (log.length > KEPT) log.shift();

  // The text is encoded once, not once per follower.
  const bytes = Buffer.from(data);
  for (const socket of sockets) {
    if (socket.readyState === WebSocket.OPEN) socket.send(bytes, { binary: false });
  }
  const block = `id: ${last}\n${data.split('\n').map((line) => `data: ${line}\n`).join('')}\n`;
  for (const stream of streams) stream.write(block);
  const answered = held;
  held = new Map();
  const body = page([data]);
  for (const [response, timer] of answered) {
    clearTimeout(timer);
    send(response, body);
  }
}

function page(events) {
  return Buffer.from(JSON.stringify({ events, next: String(last) }));
}

function send(response, body) {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}

function stream(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  streams.add(response);
  response.on('close', () => streams.delete(response));
}

function poll(query, response) {
  const since = query.get('since') === 'now' ? last : Number(query.get('since') ?? 0);
  const wait = query.get('wait');
  if (since < last || wait === null) {
    send(response, page(since < last ? log.filter(({ id }) => id > since).map(({ data }) => data) : []));
    return;
  }
  const timer = setTimeout(() => {
    held.delete(response);
    send(response, page([]));
  }, 1000 * Number(wait));
  held.set(response, timer);
  response.on('close', () => {
    clearTimeout(timer);
    held.delete(response);
  });
}

const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const isBatch = request.headers['content-type'] === 'application/x-ndjson';
      for (const data of isBatch ? body.trimEnd().split('\n') : [body]) publish(data);
      response.writeHead(201, { 'Content-Length': 0 });
      response.end();
    });
  } else if (request.headers.accept === 'text/event-stream') {
    stream(response);
  } else {
    poll(new URLSearchParams(request.url.split('?')[1]), response);
  }
});
// A client's connection may be silent for as long as a poll is held.
server.keepAliveTimeout = 120_000;

// `ws` does not compress unless it is configured to.
const echo = new WebSocketServer({ noServer: true });
const topic = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  const to = request.url === '/echo' ? echo : topic;
  to.handleUpgrade(request, socket, head, (opened) => to.emit('connection', opened, request));
});
echo.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});
topic.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('error', () => socket.terminate());
  socket.on('close', () => sockets.delete(socket));
});

server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 }, () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
