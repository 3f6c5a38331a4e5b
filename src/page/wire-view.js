// The wire on the page: what is shown of it, the bytes, one field's detail, and the counts.
//
// Bytes pass faster than anybody reads. So the view stands still while a field is being looked at: while the pointer
// is on one, or the focus. What comes meanwhile is counted, and shown when the field is left.

import { bytes, count } from './format.js';
import { describe } from './wire-detail.js';
import { drawPassage, make } from './wire-dump.js';
import { Kept, SPANS, TRANSPORTS } from './wire.js';
import { Tally } from './wire-tally.js';

/** Whether it was open, as long as the tab is. */
const REMEMBERED = 'barewire: the wire is open';
/** How often the list of connections and the table are drawn anew, in milliseconds. */
const DRAW_EVERY = 200;

const KINDS = ['start-line', 'name', 'value', 'separator', 'length', 'mask', 'payload', 'control', 'ignored', 'opaque'];

/** Where to get a view that was refused, by the status. */
const WAYS = {
  401: 'It needs the follow token: open this page with ?access_token=TOKEN.',
  403: 'On the server’s own machine, open this page under a name such as localhost. From elsewhere the view needs a token: '
    + 'start the server with --wire and --follow-token TOKEN, and open this page with ?access_token=TOKEN.',
  404: 'By itself a server shows it only while it listens to its own machine alone. To have it elsewhere start the server with '
    + '--wire and --follow-token TOKEN, without --no-wire, and open this page with ?access_token=TOKEN.',
};

export class WireView {
  /** What is shown: `lane:sse`, `connection:1:12`. */
  #chosen = 'lane:sse';
  #paused = false;
  /** The focus is on a field or in its detail. */
  #focused = false;
  /** The pointer is on a field. */
  #pointed = false;
  /** The focus moves without anybody having asked for a detail. */
  #quiet = false;
  /** @type {import('./wire-dump.js').Field | null} */
  #shown = null;
  /** The one that Tab goes to. @type {import('./wire-dump.js').Field | null} */
  #stop = null;
  /** @type {Map<object, ReturnType<typeof drawPassage>>} what is in the list, by passage, oldest first */
  #drawn = new Map();
  /** @type {WeakMap<Element, import('./wire-dump.js').Field>} */
  #fields = new WeakMap();
  /** @type {Map<string, HTMLElement>} */
  #choices = new Map();
  /** How many passages had come when the list was drawn. */
  #came = 0;
  #drew = -Infinity;
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
    this.#opening();
    this.#controls();
    this.#pointer();
    this.#keyboard();
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
    if (!this.#stale || !this.panel.open || now - this.#drew < DRAW_EVERY) return;
    this.#stale = false;
    this.#drew = now;
    this.#drawConnections();
    this.tally.draw(wire.counts);
    write(part.unseen, unseen(wire.counts));
    if (this.#isHeld) this.#drawHeld();
    else this.#drawFields();
  }

  // The panel, and whether the wire is followed at all.

  #opening() {
    const { panel, wire } = this;
    const remembered = remember();
    panel.open = remembered === null ? matchMedia('(min-width: 861px)').matches : remembered === 'yes';
    const follow = () => {
      if (panel.open) wire.follow();
      else wire.close();
    };
    panel.addEventListener('toggle', () => {
      remember(panel.open ? 'yes' : 'no');
      follow();
    });
    follow();
  }

  #stateText(now) {
    const { name, until, why } = this.wire.state;
    if (name === 'reconnecting') return `reconnecting in ${Math.max(1, Math.ceil((until - now) / 1000))} s · ${why}`;
    return name === 'ended' ? `not shown: ${why}` : name;
  }

  #drawWhy() {
    const { name, status } = this.wire.state;
    const isRefused = name === 'ended';
    this.part.why.hidden = !isRefused;
    if (isRefused) write(this.part.why, `This server does not show its wire view to this page. ${WAYS[status] ?? ''}`);
  }

  // What is shown.

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
      const is = connection.is === 'open' ? '' : `, ${connection.is}`;
      write(label.querySelector('.sub'), `${carried}, ${bytes(connection.bytes)}${is}`);
    }
    write(this.part.forgotten, forgotten > 0 ? `${count(forgotten)} older ones are no longer here.` : '');
  }

  // The bytes.

  get #isHeld() {
    return this.#paused || this.#focused || this.#pointed;
  }

  #drawHeld() {
    const waiting = this.#kept.came - this.#came;
    const why = this.#paused ? 'Paused' : 'Held while you look at a field';
    write(this.part.held, waiting > 0 ? `${why}; ${waiting === 1 ? 'one newer passage waits' : `${count(waiting)} newer passages wait`}.` : `${why}.`);
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
    this.#came = kept.came;
    list.classList.toggle('empty', kept.passages.length === 0);
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    if (!this.#stop?.option.isConnected) this.#stopAt(this.#all()[0] ?? null);
    // The field that had the focus is gone: it goes to the first that is left.
    if (hadFocus && !list.contains(document.activeElement)) this.#focus(this.#stop, true);
    const dropped = kept.dropped > 0 ? `The newest ${count(SPANS)} fields; ${count(kept.dropped)} older ones are no longer here.` : '';
    if (this.#paused) this.#drawHeld();
    else write(this.part.held, dropped);
  }

  #controls() {
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
  #stopAt(field) {
    if (this.#stop) this.#stop.option.tabIndex = -1;
    this.#stop = field;
    if (field) field.option.tabIndex = 0;
  }

  /** @param {import('./wire-dump.js').Field | null} field */
  #show(field) {
    if (field === this.#shown) return;
    const mark = (of, isShown) => {
      of.option.setAttribute('aria-selected', String(isShown));
      for (const part of of.parts) part.toggleAttribute('data-shown', isShown);
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
   * @param {boolean} [quietly] without its detail
   */
  #focus(field, quietly = false) {
    if (!field) return;
    this.#quiet = quietly;
    field.option.focus({ preventScroll: false });
    this.#quiet = false;
  }

  #pointer() {
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
    // Any part of a field is the field: also one that can't have the focus.
    fields.addEventListener('click', ({ target }) => this.#focus(this.#fields.get(target)));
  }

  #keyboard() {
    const { fields, detail } = this.part;
    fields.addEventListener('focusin', ({ target }) => {
      const field = this.#fields.get(target);
      if (!field) return;
      this.#stopAt(field);
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
      const at = all.indexOf(this.#stop);
      const next = at < 0 || pressed.ctrlKey || pressed.altKey || pressed.metaKey ? undefined : goTo(pressed.key, all, at);
      if (!next) return;
      pressed.preventDefault();
      // Behind an Escape the same field is looked at again.
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
 * The field that a key goes to, if it is one that goes anywhere.
 * @param {string} key
 * @param {import('./wire-dump.js').Field[]} all
 * @param {number} at
 */
function goTo(key, all, at) {
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
      // To the beginning of this passage, and from there to that of the one before.
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

/** What is not in the counts. @param {import('./wire-counts.js').WireCounts} counts */
function unseen({ unseen: lost, isLess }) {
  if (!lost && !isLess) return '';
  const how = [...(lost ? [`${bytes(lost)} that passed too fast for the server to show`] : []), ...(isLess ? ['what passed too fast for this page'] : [])];
  return `Not counted: ${how.join(', and ')}.`;
}

/** A tab may have no storage: then nothing is remembered. @param {string} [value] */
function remember(value) {
  try {
    if (value !== undefined) sessionStorage.setItem(REMEMBERED, value);
    return sessionStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

/**
 * @param {Element} where
 * @param {string} text
 */
function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
