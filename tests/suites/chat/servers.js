// The three chats: how each is started, and what is read about its process.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The longest time in milliseconds that one step may take. No step is expected to need it. */
export const PATIENCE = 30_000;
const ROOT = new URL('../../../', import.meta.url);
const TARGET = process.env.CARGO_TARGET_DIR ?? new URL('target', ROOT).pathname;

/** The chats. `resumes` says that a client can send the id of its last message. */
export const CHATS = [
  { name: '`14_chat`', source: 'examples/14_chat.rs', page: 'examples/pages/14.html', resumes: true, command: [`${TARGET}/debug/examples/14_chat`] },
  { name: 'axum', source: 'tests/suites/chat/axum/src/main.rs', resumes: false, command: [`${TARGET}/chat/debug/chat-on-axum`] },
  { name: '`ws`', source: 'tests/suites/chat/ws/server.js', resumes: false, command: [process.execPath, new URL('ws/server.js', import.meta.url).pathname] },
];

/** Returns the number of lines that are neither empty nor only a comment. */
export function linesOfCode(path) {
  const lines = readFileSync(new URL(path, ROOT), 'utf8').split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('//')).length;
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A running chat. */
export class Server {
  #child;

  static async start(chat, port = 0) {
    const server = new Server();
    const [program, ...options] = chat.command;
    const child = spawn(program, [...options, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    server.#child = child;
    running.add(child);
    server.ended = new Promise((resolve) => { child.once('exit', resolve); });
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('error', reject);
      server.ended.then((code) => reject(new Error(`${chat.name} ended with ${code}`)));
    });
    server.port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)[1]);
    return server;
  }

  async kill() {
    this.#child.kill('SIGKILL');
    await this.ended;
    running.delete(this.#child);
  }

  /** Returns the resident memory now and at most so far, in MiB (proc(5)). */
  memory() {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) / 1024;
    return { now: field('VmRSS'), peak: field('VmHWM') };
  }
}
