// A server on Bun, whose HTTP and WebSockets are uWebSockets: echo, and a topic to follow over
// WebSockets, event streams, long polls and short polls. WebSocket followers are subscribers of
// uWebSockets' own publish and subscribe.
//
//   bun server.js PORT

/** The number of events kept for polls. */
const KEPT = 1024;

const log = [];
let last = 0;
const streams = new Set();
/** The functions that respond to the held long polls, which all wait for the next event. */
let held = new Set();

function publish(data) {
  last += 1;
  log.push({ id: last, data });
  if (log.length > KEPT) log.shift();

  server.publish('bench', data);
  const block = `id: ${last}\n${data.split('\n').map((line) => `data: ${line}\n`).join('')}\n`;
  for (const stream of streams) {
    stream.write(block);
    stream.flush();
  }
  const answered = held;
  held = new Set();
  const body = page([data]);
  for (const respond of answered) respond(body);
}

function page(events) {
  return JSON.stringify({ events, next: String(last) });
}

function json(body) {
  return new Response(body, { headers: { 'Content-Type': 'application/json' } });
}

function stream(request) {
  let opened;
  const body = new ReadableStream({
    type: 'direct',
    pull(controller) {
      opened = controller;
      streams.add(controller);
      controller.write(': open\n\n');
      controller.flush();
      // The stream ends when this promise is fulfilled.
      return new Promise((end) => request.signal.addEventListener('abort', end));
    },
  });
  request.signal.addEventListener('abort', () => streams.delete(opened));
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } });
}

function poll(query, request) {
  const since = query.get('since') === 'now' ? last : Number(query.get('since') ?? 0);
  const wait = query.get('wait');
  if (since < last || wait === null) {
    return json(page(since < last ? log.filter(({ id }) => id > since).map(({ data }) => data) : []));
  }
  return new Promise((resolve) => {
    const respond = (body) => {
      clearTimeout(timer);
      held.delete(respond);
      resolve(json(body));
    };
    const timer = setTimeout(() => respond(page([])), 1000 * Number(wait));
    held.add(respond);
    request.signal.addEventListener('abort', () => respond(page([])));
  });
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  // A client's connection may be silent for as long as a poll is held.
  idleTimeout: 120,
  async fetch(request, server) {
    if (request.method === 'POST') {
      const body = await request.text();
      const isBatch = request.headers.get('content-type') === 'application/x-ndjson';
      for (const data of isBatch ? body.trimEnd().split('\n') : [body]) publish(data);
      return new Response(null, { status: 201 });
    }
    const [path, query] = request.url.slice(request.url.indexOf('/', 8)).split('?');
    if (request.headers.get('upgrade') === 'websocket') {
      const echoes = path === '/echo';
      return server.upgrade(request, { data: { echoes } }) ? undefined : new Response(null, { status: 400 });
    }
    if (request.headers.get('accept') === 'text/event-stream') return stream(request);
    return poll(new URLSearchParams(query), request);
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      if (!socket.data.echoes) socket.subscribe('bench');
    },
    message(socket, data) {
      if (socket.data.echoes) socket.send(data);
    },
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
