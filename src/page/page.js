// The entry point of the page: one topic, four lanes, and a form to publish.
//
// Suggested reading order: topic.js (the topic's URL); poll.js, short-poll.js, long-poll.js, sse.js
// and websocket.js (the four transports); retry.js (the part that they share); lane.js (the state
// that they update); wire.js (the bytes of all connections).
//
// A browser opens at most six HTTP/1.1 connections to a host. This page uses at most five of them:
// one each for the short poll, the long poll, the event stream, the wire and a publish. Its
// WebSocket does not count toward the six.

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
/** The longest time that the lanes wait for the wire, in milliseconds. */
const WIRE_TIMEOUT = 3000;

/** Sets the status line, which screen readers announce: results of user actions, and failures. */
const announce = (message) => { byId('status').textContent = message; };

const flood = new Flood(topic, all, announce);
const views = Object.entries(lanes).map(([id, lane]) => new LaneView(lane, byId(id), flood, announce));

const wire = new Wire(topic);
const wireView = new WireView(wire, byId('wire'));

for (const place of document.querySelectorAll('[data-topic]')) place.textContent = topic.name;

setUpPublishing();
setUpSettings();
setUpSending();
startDrawing();
start();

/** Starts all four lanes from the same id, so that they show the same events. */
async function start() {
  // The wire opens first, so that it shows the lanes from their first byte. The lanes start without
  // it when the time is over.
  if (byId('wire').open) await Promise.race([wire.ready, sleep(WIRE_TIMEOUT, new AbortController().signal)]);
  for (let delay = 1000; ; delay = Math.min(2 * delay, 15_000)) {
    try {
      const now = await topic.now();
      for (const lane of all) {
        lane.cursor = now;
        lane.connect();
      }
      document.documentElement.dataset.ready = '';
      return;
    } catch (error) {
      if (error.isPermanent) {
        for (const lane of all) lane.ended(error.message);
        announce(`The server refused the request: ${error.message}.`);
        return;
      }
      announce(`The server cannot be reached (${error.message}). Trying again in ${delay / 1000} s.`);
      await new Promise((resolve) => { setTimeout(resolve, delay); });
    }
  }
}

function setUpPublishing() {
  const data = byId('data');
  byId('publish').addEventListener('submit', async (submit) => {
    submit.preventDefault();
    const text = data.value;
    data.value = '';
    const at = performance.now();
    try {
      const { id, bytes: cost } = await topic.publish(text, byId('event').value.trim());
      ledger.published(id, at);
      for (const lane of all) lane.changed = true; // the delay of this event is known now
      announce(`Published as ${id}: ${bytes(utf8Length(text))} of data, ≈ ${bytes(cost)} for the POST and its response.`);
    } catch (error) {
      if (data.value === '') data.value = text; // so that the user can try again
      announce(`Not published: ${error.message}.`);
    }
  });
}

/** Connects the two sliders, which work at any time. */
function setUpSettings() {
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

/** Connects the form that sends over the WebSocket, and compares its cost with that of a POST. */
function setUpSending() {
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
      announce('Not sent: the socket is not open.');
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

/**
 * Draws all lanes in every animation frame. If the user prefers reduced motion, the timelines move
 * once per second; the numbers are still updated at once.
 */
function startDrawing() {
  const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  let moved = -Infinity;
  const draw = (now) => {
    const moving = !reducedMotion.matches || now - moved > 1000;
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
 * @param {Element} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
