// WebSocket: one handshake over HTTP, then small frames in both directions.
//
// This is the only transport over which the client can also send. The application has to provide
// what HTTP provides elsewhere (resuming, retrying, authorization), so the cursor is in the URL,
// and the server's first message, the hello, confirms the position.

import { frame, handshake, handshakeResponse, utf8Length } from './bytes.js';

/** @type {import('./retry.js').Attempt} */
export function webSocket(lane, signal, resetBackoff) {
  const url = lane.topic.socketUrl({ since: lane.cursor });
  const bar = lane.timeline.begin();
  lane.countRequest(handshake(url));
  const socket = new WebSocket(url);

  return new Promise((resolve, reject) => {
    const disconnect = () => {
      // Messages may still arrive before the closing handshake is complete. They are ignored here,
      // because the next connection receives them again.
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
      lane.socket = null;
      bar.end('cut');
      resolve();
    };
    signal.addEventListener('abort', disconnect, { once: true });
    if (signal.aborted) disconnect();

    socket.onopen = () => {
      lane.countReceived(handshakeResponse(socket));
      lane.socket = socket;
      lane.open();
    };

    socket.onmessage = ({ data }) => {
      lane.countReceived(frame(utf8Length(data), false));
      const message = JSON.parse(data);
      if ('next' in message) {
        // The first message is the hello: it has the position where this connection starts, and a
        // gap if events before that position are lost.
        if (message.gap) lane.addGap(message.gap);
        lane.moveTo(message.next);
        resetBackoff();
      } else {
        lane.addEvent(message);
      }
    };

    // A script only sees the code 1006 when a handshake fails, not the reason. So the lane retries
    // after every close.
    socket.onclose = ({ code, reason }) => {
      signal.removeEventListener('abort', disconnect);
      lane.socket = null;
      lane.ledger.clearSocket();
      bar.end('error');
      reject(new Error(`closed with ${code}${reason && `, ${reason}`}`));
    };
  });
}

/**
 * Publishes `text` over the lane's open socket as one masked frame. The only reply is the event
 * itself.
 * @param {import('./lane.js').Lane} lane
 * @param {string} text
 */
export function sendOver(lane, text) {
  lane.socket.send(text);
  lane.countSent(frame(utf8Length(text), true));
  lane.timeline.mark('sent');
}
