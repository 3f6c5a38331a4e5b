// Event streams on Node's `http`, as tutorials write them: each topic keeps its events, and a client
// that reconnects continues after its Last-Event-ID.
//
//   node node-sse.js          prints its address, serves until it is killed

import http from 'node:http';

/** The topics by name: the events in their order, and the responses that follow. */
const topics = new Map();

function pathOf(request) {
  return new URL(request.url, 'http://localhost').pathname;
}

function topicOf(request) {
  const name = pathOf(request);
  if (!topics.has(name)) topics.set(name, { events: [], streams: new Set() });
  return topics.get(name);
}

function block({ id, data }) {
  const lines = data.split('\n').map((line) => `data: ${line}\n`);
  return `id: ${id}\n${lines.join('')}\n`;
}

function follow(request, response) {
  const topic = topicOf(request);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.write('retry: 2000\n\n');
  const last = request.headers['last-event-id'];
  if (last !== undefined) {
    topic.events.filter(({ id }) => id > Number(last)).forEach((event) => response.write(block(event)));
  }
  topic.streams.add(response);
  response.on('close', () => topic.streams.delete(response));
}

function publish(request, response) {
  const topic = topicOf(request);
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const event = { id: topic.events.length + 1, data: Buffer.concat(chunks).toString() };
    topic.events.push(event);
    topic.streams.forEach((stream) => stream.write(block(event)));
    response.writeHead(204).end();
  });
}

const server = http.createServer((request, response) => {
  const path = URL.canParse(request.url, 'http://localhost') ? pathOf(request) : '';
  if (path === '/') response.end('hello\n');
  else if (!path.startsWith('/topics/')) response.writeHead(404).end();
  else if (request.method === 'POST') publish(request, response);
  else follow(request, response);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
