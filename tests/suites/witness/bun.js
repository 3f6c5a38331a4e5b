// Bun's server, whose WebSockets are uWebSockets, as an echo. Prints its address, echoes until killed.
//
//   bun bun.js

/** Larger than the largest message of a suite, 16 MiB. */
const MAX_PAYLOAD = 32 << 20;

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response('WebSockets only', { status: 426 });
  },
  websocket: {
    perMessageDeflate: true,
    maxPayloadLength: MAX_PAYLOAD,
    backpressureLimit: 2 * MAX_PAYLOAD,
    message(socket, message) {
      socket.send(message, true);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
