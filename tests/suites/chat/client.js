// A member of a room, on npm's `ws`.

import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { PATIENCE } from './servers.js';

export class Member {
  /** The texts that were said, if `keepsTexts`, and their number. */
  texts = [];
  said = 0;
  /** The changes of the list, such as `left Ann`. */
  changes = [];
  /** The server has reported that messages are missing. */
  hasGap = false;
  /** The code of the close frame, 1006 without one, and its reason. */
  closed = undefined;
  /** The id of the last message, if the server has ids. */
  cursor = undefined;

  /** Joins a room. `since` is the cursor of an earlier member, and `onText` is called for each text. */
  static async join(server, room, name, { since, keepsTexts = true, onText = () => {} } = {}) {
    const member = new Member();
    const query = new URLSearchParams(since === undefined ? { name } : { name, since });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rooms/${room}?${query}`, { perMessageDeflate: false });
    member.socket = socket;
    member.keepsTexts = keepsTexts;
    member.onText = onText;
    socket.on('message', (data) => member.#receive(data.toString()));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', (code, reason) => { member.closed = { code, reason: reason.toString() }; });
    await member.until(() => member.changes.includes(`joined ${name}`) || member.closed, `${name} joins`);
    return member;
  }

  #receive(text) {
    let message = JSON.parse(text);
    if (message.gap) this.hasGap = true;
    this.cursor = message.id ?? message.next ?? this.cursor;
    if (message.data) message = JSON.parse(message.data);
    for (const change of ['joined', 'left']) {
      if (message[change]) this.changes.push(`${change} ${message[change]}`);
    }
    if (message.text === undefined) return;
    this.said += 1;
    if (this.keepsTexts) this.texts.push(message.text);
    this.onText(message.text);
  }

  say(text) { this.socket.send(text); }

  /** Ends the connection without a closing handshake, as a lost network or a killed tab does. */
  async vanish() {
    this.socket.terminate();
    await this.until(() => this.closed, 'the connection ends');
  }

  /** Waits until nothing has arrived for this many milliseconds, or the connection has ended. */
  async untilQuiet(milliseconds) {
    for (let before = -1; before !== this.said && !this.closed;) {
      before = this.said;
      await sleep(milliseconds);
    }
  }

  /** Waits for a condition. */
  async until(condition, what) {
    for (const deadline = Date.now() + PATIENCE; !condition();) {
      if (Date.now() > deadline) throw new Error(`timed out: ${what}`);
      await sleep(2);
    }
  }
}
