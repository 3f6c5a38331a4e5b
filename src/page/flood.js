// Filler events that push older events out of the log, so that a cut lane receives a gap.
//
// The log keeps at least 65,536 events, so a short cut never causes a gap. The page publishes
// filler events, one batch per request, until the log has dropped an event after the cut lane's
// cursor.
//
// The other lanes must not lose events. They receive the filler too, so the page sends the next
// batch only after each of them has received the last event of this batch. A batch is a quarter of
// the smallest window.

/** The name of filler events. A lane shows consecutive ones in one row. */
export const FILLER = 'filler';

const BATCH = 16_384;
/** The page gives up after this many events, because a server may be configured to keep far more. */
const MAX_PUBLISHED = 1_000_000;

export class Flood {
  /** The lanes that are cut until they have a gap. @type {Set<import('./lane.js').Lane>} */
  #losing = new Set();
  #running = false;
  /** The number of filler events published since the flood started. */
  published = 0;

  /**
   * @param {import('./topic.js').Topic} topic
   * @param {import('./lane.js').Lane[]} lanes
   * @param {(message: string) => void} announce
   */
  constructor(topic, lanes, announce) {
    this.topic = topic;
    this.lanes = lanes;
    this.announce = announce;
  }

  /** @param {import('./lane.js').Lane} lane */
  isLosing(lane) {
    return this.#losing.has(lane);
  }

  /**
   * Cuts the lane until the log has dropped an event after its cursor, then reconnects it.
   * @param {import('./lane.js').Lane} lane
   */
  lose(lane) {
    lane.cut();
    this.#losing.add(lane);
    if (!this.#running) this.#run();
  }

  /**
   * Reconnects the lane at once, even without a gap.
   * @param {import('./lane.js').Lane} lane
   */
  reconnect(lane) {
    this.#losing.delete(lane);
    lane.connect();
  }

  async #run() {
    this.#running = true;
    this.published = 0;
    const lines = new Array(BATCH).fill('.');
    try {
      for (;;) {
        for (const lane of this.#losing) {
          if (!await this.topic.hasForgotten(lane.cursor)) continue;
          this.announce(`The log has dropped events that ${lane.name} missed. The lane is connected again and receives a gap event.`);
          this.reconnect(lane);
        }
        if (this.#losing.size === 0) return;
        if (this.published >= MAX_PUBLISHED) throw new Error('the log still keeps all events');

        const ids = await this.topic.publishLines(lines, FILLER);
        this.published += ids.length;
        for (const lane of this.#losing) lane.changed = true;
        const last = ids[ids.length - 1];
        await Promise.all(this.lanes
          .filter((lane) => lane.isLive)
          .map((lane) => lane.reached(last, 15_000 + lane.interval.ms)));
      }
    } catch (error) {
      this.announce(`Could not create a gap: ${error.message}.`);
      for (const lane of this.#losing) this.reconnect(lane);
    } finally {
      this.#running = false;
    }
  }
}
