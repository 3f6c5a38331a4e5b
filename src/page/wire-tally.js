// The table of what each transport cost.

import { count } from './format.js';
import { TRANSPORTS } from './wire.js';
import { make } from './wire-dump.js';

const COLUMNS = ['data', 'overhead', 'events', 'data-each', 'overhead-each'];

export class Tally {
  /** @type {Map<string, HTMLElement[]>} the cells of each row */
  #rows = new Map();

  /**
   * @param {HTMLElement} body
   * @param {HTMLElement} foot
   */
  constructor(body, foot) {
    for (const [name, title] of Object.entries(TRANSPORTS)) this.#add(body, name, title);
    this.#add(foot, 'sum', 'All together');
  }

  /** @param {import('./wire-counts.js').WireCounts} counts */
  draw(counts) {
    let [data, overhead] = [0, 0];
    for (const name of Object.keys(TRANSPORTS)) {
      const of = counts.of(name);
      const here = { data: of.data.client + of.data.server, overhead: of.overhead.client + of.overhead.server };
      data += here.data;
      overhead += here.overhead;
      this.#write(name, here, name === '-' ? null : of);
    }
    this.#write('sum', { data, overhead }, null);
  }

  #write(name, { data, overhead }, of) {
    const each = (bytes) => (of?.events ? `${of.isLess ? '≤ ' : ''}${count(Math.round(bytes / of.events))}` : '–');
    const events = of ? `${of.isLess ? '≥ ' : ''}${count(of.events)}` : '–';
    const texts = [count(data), count(overhead), events, each(data), each(overhead)];
    for (const [at, cell] of this.#rows.get(name).entries()) {
      if (cell.textContent !== texts[at]) cell.textContent = texts[at];
    }
  }

  #add(into, name, title) {
    const row = make('tr');
    row.dataset.transport = name;
    const head = make('th', '', title);
    head.scope = 'row';
    const cells = COLUMNS.map((column) => {
      const cell = make('td');
      cell.dataset.column = column;
      return cell;
    });
    row.append(head, ...cells);
    into.append(row);
    this.#rows.set(name, cells);
  }
}
