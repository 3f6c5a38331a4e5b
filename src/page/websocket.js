// WebSocket: one handshake over HTTP, then frames of a few bytes, both ways.
//
// The only one of the four on which the client speaks too. What HTTP gave for nothing (resuming, trying
// again, authorization) is now the application's work: hence the cursor in the URL and the hello.

import { frame, handshake, handshakeAnswer, utf8Length } from './bytes.js';

/** @type {import('./retry.js').Attempt} */
export function webSocket(lane, signal, healthy) {
  const url = lane.topic.socketUrl({ since: lane.cursor });
  const bar = lane.line.begin();
  lane.asked(handshake(url));
  const socket = new WebSocket(url);

  return new Promise((resolve, reject) => {
    const hangUp = () => {
      // Messages may still come until the closing handshake is done. They are left to the next connection.
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
      lane.socket = null;
      bar.end('cut');
      resolve();
    };
    signal.addEventListener('abort', hangUp, { once: true });
    if (signal.aborted) hangUp();

    socket.onopen = () => {
      lane.received(handshakeAnswer(socket));
      lane.socket = socket;
      lane.open();
    };

    socket.onmessage = ({ data }) => {
      lane.received(frame(utf8Length(data), false));
      const message = JSON.parse(data);
      if ('next' in message) {
        // The hello, always first: where this connection starts, and whether something is missing before it.
        if (message.gap) lane.gap(message.gap);
        lane.moved(message.next);
        healthy();
      } else {
        lane.event(message);
      }
    };

    // A script is not told why a handshake failed (1006 is all), so every end is tried again.
    socket.onclose = ({ code, reason }) => {
      signal.removeEventListener('abort', hangUp);
      lane.socket = null;
      lane.ledger.forgetSocket();
      bar.end('error');
      reject(new Error(`closed with ${code}${reason && `, ${reason}`}`));
    };
  });
}

/**
 * Publishes `text` over the lane's open socket: one masked frame, and no answer but the event itself.
 * @param {import('./lane.js').Lane} lane
 * @param {string} text
 */
export function sendOver(lane, text) {
  lane.socket.send(text);
  lane.sent(frame(utf8Length(text), true));
  lane.line.mark('sent');
}
