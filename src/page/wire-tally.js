// The table with the cost of each transport.

import { count } from './format.js';
import { TRANSPORTS } from './wire.js';
import { make } from './wire-dump.js';

const COLUMNS = ['data', 'overhead', 'events', 'data-each', 'overhead-each'];

export class Tally {
  /** The cells of each row. @type {Map<string, HTMLElement[]>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} body
   * @param {HTMLElement} foot
   */
  constructor(body, foot) {
    for (const [name, title] of Object.entries(TRANSPORTS)) this.#add(body, name, title);
    this.#add(foot, 'sum', 'Total');
  }

  /** @param {import('./wire-counts.js').WireCounts} counts */
  draw(counts) {
    let [data, overhead] = [0, 0];
    for (const name of Object.keys(TRANSPORTS)) {
      const transport = counts.of(name);
      const bytes = {
        data: transport.data.client + transport.data.server,
        overhead: transport.overhead.client + transport.overhead.server,
      };
      data += bytes.data;
      overhead += bytes.overhead;
      this.#write(name, bytes, name === '-' ? null : transport);
    }
    this.#write('sum', { data, overhead }, null);
  }

  /** Writes one row. `transport` is `null` for a row that counts no events. */
  #write(name, { data, overhead }, transport) {
    const [atMost, atLeast] = transport?.isPartial ? ['≤ ', '≥ '] : ['', ''];
    const perEvent = (bytes) => (transport?.events ? `${atMost}${count(Math.round(bytes / transport.events))}` : '–');
    const events = transport ? `${atLeast}${count(transport.events)}` : '–';
    const texts = [count(data), count(overhead), events, perEvent(data), perEvent(overhead)];
    for (const [index, cell] of this.#rows.get(name).entries()) {
      if (cell.textContent !== texts[index]) cell.textContent = texts[index];
    }
  }

  #add(section, name, title) {
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
    section.append(row);
    this.#rows.set(name, cells);
  }
}
