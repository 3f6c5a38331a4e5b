// The view of the wire: the choice of a lane or connection, its bytes, the detail of a field, and
// the counts.
//
// Bytes pass faster than people can read. The view therefore holds still while the pointer or the
// focus is on a field. It counts the passages that arrive meanwhile, and shows them afterwards.

import { bytes, count } from './format.js';
import { describe } from './wire-detail.js';
import { drawPassage, make } from './wire-dump.js';
import { Kept, SPANS, TRANSPORTS } from './wire.js';
import { Tally } from './wire-tally.js';

/** The key in session storage that records whether the panel is open. */
const STORAGE_KEY = 'barewire: the wire is open';
/** The shortest time between two updates of the view, in milliseconds. */
const DRAW_EVERY = 200;

const KINDS = ['start-line', 'name', 'value', 'separator', 'length', 'mask', 'payload', 'control', 'ignored', 'opaque'];

/** How to get access to the view after it was refused, by the status of the response. */
const REMEDIES = {
  401: 'The view needs the follow token: open this page with ?access_token=TOKEN.',
  403: 'On the server’s own machine, open this page under a name such as localhost. From another machine, the view needs a '
    + 'token: start the server with --wire and --follow-token TOKEN, and open this page with ?access_token=TOKEN.',
  404: 'By default, a server shows it only while it listens on a loopback address. For any other address, start the server '
    + 'with --wire and --follow-token TOKEN, without --no-wire, and open this page with ?access_token=TOKEN.',
};

export class WireView {
  /** The key of the chosen lane or connection: `lane:sse`, `connection:1:12`. */
  #chosen = 'lane:sse';
  #paused = false;
  /** True while the focus is on a field or in its detail. */
  #focused = false;
  /** True while the pointer is on a field. */
  #pointed = false;
  /** True while the focus moves to a field without showing its detail. */
  #quiet = false;
  /** @type {import('./wire-dump.js').Field | null} */
  #shown = null;
  /** The field that Tab reaches. @type {import('./wire-dump.js').Field | null} */
  #tabStop = null;
  /** The drawn passages, oldest first. @type {Map<object, ReturnType<typeof drawPassage>>} */
  #drawn = new Map();
  /** The field of each drawn element. @type {WeakMap<Element, import('./wire-dump.js').Field>} */
  #fields = new WeakMap();
  /** The radio buttons, by key. @type {Map<string, HTMLElement>} */
  #choices = new Map();
  /** The number of passages that had arrived when the list was last drawn. */
  #drawnCount = 0;
  #lastDraw = -Infinity;
  #stale = true;

  /**
   * @param {import('./wire.js').Wire} wire
   * @param {HTMLDetailsElement} panel
   */
  constructor(wire, panel) {
    this.wire = wire;
    this.panel = panel;
    this.part = Object.fromEntries(
      ['state', 'why', 'bench', 'lanes', 'connections', 'forgotten', 'held', 'pause', 'clear', 'fields', 'kinds', 'detail',
        'name', 'about', 'tally', 'tally-sum', 'unseen'].map((name) => [name, panel.querySelector(`[data-${name}]`)]),
    );
    this.help = [...this.part.about.children];
    this.tally = new Tally(this.part.tally, this.part['tally-sum']);
    for (const [name, title] of Object.entries(TRANSPORTS)) {
      this.part.lanes.append(this.#choice(`lane:${name}`, title));
    }
    for (const kind of KINDS) {
      const sample = make('span', 'part', kind.replace('-', ' '));
      sample.dataset.kind = kind;
      const item = make('li');
      item.append(sample);
      this.part.kinds.append(item);
    }
    this.#choose(this.#chosen);
    this.#setUpPanel();
    this.#setUpControls();
    this.#setUpPointer();
    this.#setUpKeyboard();
  }

  /** @param {number} now */
  draw(now) {
    const { wire, part } = this;
    if (wire.state.name === 'reconnecting') write(part.state, this.#stateText(now));
    if (wire.changed) {
      wire.changed = false;
      this.#stale = true;
      write(part.state, this.#stateText(now));
      this.panel.dataset.is = wire.state.name;
      this.#drawWhy();
    }
    if (!this.#stale || !this.panel.open || now - this.#lastDraw < DRAW_EVERY) return;
    this.#stale = false;
    this.#lastDraw = now;
    this.#drawConnections();
    this.tally.draw(wire.counts);
    write(part.unseen, notCounted(wire.counts));
    if (this.#isHeld) this.#drawHeld();
    else this.#drawFields();
  }

  // The panel. The page follows the wire only while the panel is open.

  #setUpPanel() {
    const { panel, wire } = this;
    const stored = storedState();
    panel.open = stored === null ? matchMedia('(min-width: 861px)').matches : stored === 'yes';
    const follow = () => {
      if (panel.open) wire.follow();
      else wire.close();
    };
    panel.addEventListener('toggle', () => {
      storedState(panel.open ? 'yes' : 'no');
      follow();
    });
    follow();
  }

  #stateText(now) {
    const { name, until, reason } = this.wire.state;
    if (name === 'reconnecting') return `reconnecting in ${Math.max(1, Math.ceil((until - now) / 1000))} s · ${reason}`;
    return name === 'ended' ? `not shown: ${reason}` : name;
  }

  #drawWhy() {
    const { name, status } = this.wire.state;
    const isRefused = name === 'ended';
    this.part.why.hidden = !isRefused;
    if (isRefused) write(this.part.why, `This server does not show its wire view to this page. ${REMEDIES[status] ?? ''}`);
  }

  // The choice of a lane or connection.

  #choice(key, title) {
    const label = make('label', 'pick');
    const radio = make('input');
    radio.type = 'radio';
    radio.name = 'wire-shown';
    radio.value = key;
    radio.addEventListener('change', () => this.#choose(key));
    label.append(radio, make('span', 'title', title), make('span', 'sub'));
    this.#choices.set(key, label);
    return label;
  }

  #choose(key) {
    this.#chosen = key;
    this.#close();
    const label = this.#choices.get(key);
    label.querySelector('input').checked = true;
    this.part.fields.setAttribute('aria-label', `The bytes: ${label.querySelector('.title').textContent}, oldest first`);
    this.#drawFields();
    this.part.fields.scrollTop = this.part.fields.scrollHeight;
  }

  get #kept() {
    const [, kind, name] = /^(\w+):(.*)$/.exec(this.#chosen);
    const kept = kind === 'lane' ? this.wire.lanes.get(name) : this.wire.connections.get(name)?.kept;
    return kept ?? new Kept();
  }

  #drawConnections() {
    const { connections, forgotten } = this.wire;
    const wanted = new Set([...connections.keys()].map((key) => `connection:${key}`));
    for (const [key, label] of this.#choices) {
      if (!key.startsWith('connection:') || wanted.has(key)) continue;
      if (key === this.#chosen) this.#choose('lane:sse');
      label.remove();
      this.#choices.delete(key);
    }
    for (const connection of connections.values()) {
      const key = `connection:${connection.key}`;
      if (!this.#choices.has(key)) this.part.connections.prepend(this.#choice(key, `Connection ${connection.number}`));
      const label = this.#choices.get(key);
      label.dataset.is = connection.is;
      const carried = [...connection.transports].map((name) => TRANSPORTS[name] ?? name).join(', ');
      const state = connection.is === 'open' ? '' : `, ${connection.is}`;
      write(label.querySelector('.sub'), `${carried}, ${bytes(connection.bytes)}${state}`);
    }
    write(this.part.forgotten, forgotten > 0 ? `${count(forgotten)} older connections are not listed.` : '');
  }

  // The bytes.

  get #isHeld() {
    return this.#paused || this.#focused || this.#pointed;
  }

  #drawHeld() {
    const newer = this.#kept.total - this.#drawnCount;
    const reason = this.#paused ? 'Paused' : 'Held while you look at a field';
    write(this.part.held, newer > 0 ? `${reason}; ${newer === 1 ? 'one newer passage is' : `${count(newer)} newer passages are`} waiting.` : `${reason}.`);
  }

  #drawFields() {
    const kept = this.#kept;
    const list = this.part.fields;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const wanted = new Set(kept.passages);
    const hadFocus = list.contains(document.activeElement);
    for (const [passage, { element }] of this.#drawn) {
      if (wanted.has(passage)) continue;
      element.remove();
      this.#drawn.delete(passage);
    }
    for (const passage of kept.passages) {
      if (this.#drawn.has(passage)) continue;
      const drawn = drawPassage(passage);
      for (const field of drawn.fields) for (const part of field.parts) this.#fields.set(part, field);
      this.#drawn.set(passage, drawn);
      list.append(drawn.element);
    }
    this.#drawnCount = kept.total;
    list.classList.toggle('empty', kept.passages.length === 0);
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    if (!this.#tabStop?.option.isConnected) this.#setTabStop(this.#all()[0] ?? null);
    // If the focused field was removed, the focus moves to the first field.
    if (hadFocus && !list.contains(document.activeElement)) this.#focus(this.#tabStop, true);
    const dropped = kept.dropped > 0 ? `Showing the newest ${count(SPANS)} fields; ${count(kept.dropped)} older ones were dropped.` : '';
    if (this.#paused) this.#drawHeld();
    else write(this.part.held, dropped);
  }

  #setUpControls() {
    const { pause, clear } = this.part;
    pause.addEventListener('click', () => {
      this.#paused = !this.#paused;
      pause.setAttribute('aria-pressed', String(this.#paused));
      this.#stale = true;
    });
    clear.addEventListener('click', () => {
      this.wire.clear();
      this.#close();
      this.#drawFields();
    });
  }

  // One field.

  #all() {
    return [...this.#drawn.values()].flatMap(({ fields }) => fields);
  }

  /** @param {import('./wire-dump.js').Field | null} field */
  #setTabStop(field) {
    if (this.#tabStop) this.#tabStop.option.tabIndex = -1;
    this.#tabStop = field;
    if (field) field.option.tabIndex = 0;
  }

  /** @param {import('./wire-dump.js').Field | null} field */
  #show(field) {
    if (field === this.#shown) return;
    const mark = (target, isShown) => {
      target.option.setAttribute('aria-selected', String(isShown));
      for (const part of target.parts) part.toggleAttribute('data-shown', isShown);
    };
    if (this.#shown) mark(this.#shown, false);
    this.#shown = field;
    if (field) mark(field, true);
    write(this.part.name, field ? field.span.field : 'A field');
    this.part.about.replaceChildren(...(field ? describe(field) : this.help));
    this.part.detail.toggleAttribute('data-open', field !== null);
    this.part.about.scrollTop = 0;
    this.#stale = true;
  }

  #close() {
    this.#focused = false;
    this.#pointed = false;
    this.#show(null);
  }

  /**
   * @param {import('./wire-dump.js').Field | null | undefined} field
   * @param {boolean} [quietly] true to leave the detail closed
   */
  #focus(field, quietly = false) {
    if (!field) return;
    this.#quiet = quietly;
    field.option.focus({ preventScroll: false });
    this.#quiet = false;
  }

  #setUpPointer() {
    const { fields } = this.part;
    fields.addEventListener('pointerover', ({ target }) => {
      const field = this.#fields.get(target);
      this.#pointed = field !== undefined;
      this.#stale = true;
      if (field && !this.#focused) this.#show(field);
    });
    fields.addEventListener('pointerleave', () => {
      this.#pointed = false;
      this.#stale = true;
    });
    // A click on any part of a field selects the field. Only its option can have the focus.
    fields.addEventListener('click', ({ target }) => this.#focus(this.#fields.get(target)));
  }

  #setUpKeyboard() {
    const { fields, detail } = this.part;
    fields.addEventListener('focusin', ({ target }) => {
      const field = this.#fields.get(target);
      if (!field) return;
      this.#setTabStop(field);
      if (this.#quiet) return;
      this.#focused = true;
      this.#show(field);
    });
    for (const place of [fields, detail]) {
      place.addEventListener('focusout', ({ relatedTarget }) => {
        this.#focused &&= fields.contains(relatedTarget) || detail.contains(relatedTarget);
        this.#stale = true;
      });
      place.addEventListener('keydown', (pressed) => {
        if (pressed.key !== 'Escape' || !this.#shown) return;
        pressed.preventDefault();
        const isIn = detail.contains(document.activeElement);
        const field = this.#shown;
        this.#close();
        if (isIn && field.option.isConnected) this.#focus(field, true);
      });
    }
    fields.addEventListener('keydown', (pressed) => {
      const all = this.#all();
      const at = all.indexOf(this.#tabStop);
      const next = at < 0 || pressed.ctrlKey || pressed.altKey || pressed.metaKey ? undefined : fieldForKey(pressed.key, all, at);
      if (!next) return;
      pressed.preventDefault();
      // After Escape, the focus is still on the field; the key shows its detail again.
      if (next.option === document.activeElement) {
        this.#focused = true;
        this.#show(next);
      } else {
        this.#focus(next);
      }
    });
  }
}

/**
 * Returns the field that a key moves to, or `undefined` if the key does not move.
 * @param {string} key
 * @param {import('./wire-dump.js').Field[]} all
 * @param {number} at the index of the current field
 */
function fieldForKey(key, all, at) {
  const clamp = (index) => all[Math.min(all.length - 1, Math.max(0, index))];
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return clamp(at + 1);
    case 'ArrowLeft':
    case 'ArrowUp':
      return clamp(at - 1);
    case 'Home':
      return clamp(0);
    case 'End':
      return clamp(all.length - 1);
    case 'PageDown':
      return all.slice(at).find(({ passage }) => passage !== all[at].passage) ?? clamp(all.length - 1);
    case 'PageUp': {
      // To the start of this passage, or from there to the start of the previous one.
      const { passage } = all[Math.max(0, at - 1)];
      return all.find((field) => field.passage === passage);
    }
    case 'Enter':
    case ' ':
      return all[at];
    default:
      return undefined;
  }
}

/** Describes the bytes that the counts lack. @param {import('./wire-counts.js').WireCounts} counts */
function notCounted({ notShown, isPartial }) {
  if (!notShown && !isPartial) return '';
  const parts = [
    ...(notShown ? [`${bytes(notShown)} that passed too fast for the server to show`] : []),
    ...(isPartial ? ['bytes that passed too fast for this page'] : []),
  ];
  return `Not counted: ${parts.join(', and ')}.`;
}

/**
 * Stores `value` if there is one, and returns the stored value. Returns `null` if there is none, or
 * if the tab has no storage.
 * @param {string} [value]
 */
function storedState(value) {
  try {
    if (value !== undefined) sessionStorage.setItem(STORAGE_KEY, value);
    return sessionStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}

/**
 * @param {Element} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
