// The chat of `examples/14_chat.rs` on npm's `ws`. It is built as its README shows: "Server
// broadcast", and "How to detect and close broken connections?".
//
// Not here, because the README does not show it: history, and reading along without a WebSocket.

import WebSocket, { WebSocketServer } from 'ws';

const wss = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0) });

function members(room) {
  return [...wss.clients].filter((client) => client.room === room && client.readyState === WebSocket.OPEN);
}

function broadcast(room, message) {
  const data = JSON.stringify(message);
  members(room).forEach((client) => client.send(data));
}

function announce(room, change, name) {
  const here = [...new Set(members(room).map((client) => client.name))].sort();
  broadcast(room, { here, [change]: name });
}

function heartbeat() {
  this.isAlive = true;
}

wss.on('connection', (ws, request) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const name = searchParams.get('name')?.trim();
  if (!name || !pathname.startsWith('/rooms/')) {
    ws.close(1008, 'say who you are: ?name=');
    return;
  }
  Object.assign(ws, { room: pathname, name, isAlive: true });
  ws.on('error', console.error);
  ws.on('pong', heartbeat);
  ws.on('message', (data) => broadcast(ws.room, { name, text: data.toString() }));
  ws.on('close', () => announce(ws.room, 'left', name));
  announce(ws.room, 'joined', name);
});

const interval = setInterval(() => {
  wss.clients.forEach((ws) => {
    if (ws.isAlive === false) {
      ws.terminate();
      return;
    }
    ws.isAlive = false;
    ws.ping();
  });
}, 5000);

wss.on('close', () => clearInterval(interval));
wss.on('listening', () => console.log(`listening on http://127.0.0.1:${wss.address().port}`));
