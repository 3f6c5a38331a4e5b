// Where it begins: one topic, four lanes, a field to publish.
//
// Read on in topic.js (the address), then poll.js, short-poll.js, long-poll.js, sse.js and
// websocket.js (the four transports), retry.js (what they share), and lane.js (what they move); and wire.js for the bytes beneath.
//
// Connections: a browser opens at most six to a host over HTTP/1.1. This page uses five of them at most (the short poll's,
// the long poll's, the stream's, the wire's, one to publish) and the socket, which is not counted among the six.

import { Flood } from './flood.js';
import { bytes } from './format.js';
import { frame, utf8Length } from './bytes.js';
import { Lane } from './lane.js';
import { LaneView } from './lane-view.js';
import { Ledger } from './ledger.js';
import { longPoll } from './long-poll.js';
import { shortPoll } from './short-poll.js';
import { serverSentEvents } from './sse.js';
import { Topic } from './topic.js';
import { sleep } from './retry.js';
import { sendOver, webSocket } from './websocket.js';
import { Wire } from './wire.js';
import { WireView } from './wire-view.js';

const query = new URLSearchParams(location.search);
const topic = new Topic(query.get('topic') || 'demo', query.get('access_token'));
const ledger = new Ledger();
const byId = (id) => document.getElementById(id);

const lanes = {
  'short-poll': new Lane('Short polling', shortPoll, topic, ledger),
  'long-poll': new Lane('Long polling', longPoll, topic, ledger),
  sse: new Lane('Server-Sent Events', serverSentEvents, topic, ledger),
  websocket: new Lane('WebSocket', webSocket, topic, ledger),
};
const all = Object.values(lanes);
/** How long the lanes wait for the wire, in milliseconds. */
const PATIENCE = 3000;

/** The one line that is read out: sparingly, what somebody did or must know. */
const tell = (news) => { byId('status').textContent = news; };

const flood = new Flood(topic, all, tell);
const views = Object.entries(lanes).map(([id, lane]) => new LaneView(lane, byId(id), flood, tell));

const wire = new Wire(topic);
const wireView = new WireView(wire, byId('wire'));

for (const place of document.querySelectorAll('[data-topic]')) place.textContent = topic.name;

publishing();
settings();
sending();
drawing();
begin();

/** All four lanes start from the same id, so that all four show the same events. */
async function begin() {
  // The wire first, so that the lanes are seen from their first byte; but they don't depend on it.
  if (byId('wire').open) await Promise.race([wire.settled, sleep(PATIENCE, new AbortController().signal)]);
  for (let pause = 1000; ; pause = Math.min(2 * pause, 15_000)) {
    try {
      const now = await topic.now();
      for (const lane of all) {
        lane.cursor = now;
        lane.connect();
      }
      document.documentElement.dataset.ready = '';
      return;
    } catch (error) {
      if (error.final) {
        for (const lane of all) lane.ended(error.message);
        tell(`The server refuses: ${error.message}.`);
        return;
      }
      tell(`The server cannot be reached (${error.message}). Trying again in ${pause / 1000} s.`);
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
}

function publishing() {
  const data = byId('data');
  byId('publish').addEventListener('submit', async (submit) => {
    submit.preventDefault();
    const text = data.value;
    data.value = '';
    const at = performance.now();
    try {
      const { id, bytes: cost } = await topic.publish(text, byId('event').value.trim());
      ledger.published(id, at);
      for (const lane of all) lane.changed = true; // their delays can be told now
      tell(`Published as ${id}: ${bytes(utf8Length(text))} of data, ≈ ${bytes(cost)} as a POST and its answer.`);
    } catch (error) {
      if (data.value === '') data.value = text; // not lost: to be tried again
      tell(`Not published: ${error.message}.`);
    }
  });
}

/** What can be set while it runs. */
function settings() {
  const interval = byId('interval');
  const wait = byId('wait');
  const apply = () => {
    lanes['short-poll'].interval.set(Number(interval.value));
    byId('interval-value').textContent = `${(interval.value / 1000).toFixed(1)} s`;
    lanes['long-poll'].wait = Number(wait.value);
    byId('wait-value').textContent = `${wait.value} s`;
  };
  interval.addEventListener('input', apply);
  wait.addEventListener('input', apply);
  apply();
}

/** The socket's own field. What it costs stands beside what a POST of the same would. */
function sending() {
  const lane = lanes.websocket;
  const field = byId('send-data');
  const sent = { messages: 0, frames: 0, posts: 0 };

  const compare = () => {
    const text = field.value;
    const cost = text === '' && sent.messages > 0
      ? `${sent.messages} sent: ${bytes(sent.frames)}, ≈ ${bytes(sent.posts)} as POSTs`
      : `${bytes(frame(utf8Length(text), true))} as a frame, ≈ ${bytes(topic.postSize(text))} as a POST`;
    write(byId('send-cost'), cost);
  };
  field.addEventListener('input', compare);
  compare();

  byId('send').addEventListener('submit', (submit) => {
    submit.preventDefault();
    const text = field.value;
    if (!lane.socket) {
      tell('Not sent: the socket is not open.');
      return;
    }
    ledger.sentOverSocket(text, performance.now());
    sendOver(lane, text);
    sent.messages += 1;
    sent.frames += frame(utf8Length(text), true);
    sent.posts += topic.postSize(text);
    field.value = '';
    compare();
  });
}

/** One loop draws all lanes. For who asked for less motion the time lines move once a second; the numbers stay prompt. */
function drawing() {
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  let moved = -Infinity;
  const draw = (now) => {
    const moving = !calm.matches || now - moved > 1000;
    if (moving) moved = now;
    for (const view of views) view.draw(now, moving);
    wireView.draw(now);
    write(byId('heartbeats'), String(lanes.sse.counts.heartbeats));
    write(byId('retry'), lanes.sse.retry === null ? '–' : `${(lanes.sse.retry / 1000).toFixed(1)} s`);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}

/**
 * @param {Element} where
 * @param {string} text
 */
function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
