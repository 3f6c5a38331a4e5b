// Making the log forget: a gap cannot be shown by cutting a lane for a while, because the log keeps at
// least 65,536 events. So the page publishes that many, a batch a request, until the log says that what comes
// after the cut lane's cursor is gone.
//
// The other lanes must not lose anything by it. They receive all the filler too, so the next batch waits until
// each of them has the last of this one: a batch is a quarter of the smallest window.

/** The name that filler events bear, by which lanes fold them into one row. */
export const FILLER = 'filler';

const BATCH = 16_384;
/** Some servers are told to keep far more. This is where the page stops trying. */
const ENOUGH = 1_000_000;

export class Flood {
  /** Lanes that wait to be lost. @type {Set<import('./lane.js').Lane>} */
  #victims = new Set();
  #running = false;
  /** Events published in this run. */
  published = 0;

  /**
   * @param {import('./topic.js').Topic} topic
   * @param {import('./lane.js').Lane[]} lanes
   * @param {(news: string) => void} tell
   */
  constructor(topic, lanes, tell) {
    this.topic = topic;
    this.lanes = lanes;
    this.tell = tell;
  }

  /** @param {import('./lane.js').Lane} lane */
  isLosing(lane) {
    return this.#victims.has(lane);
  }

  /**
   * Cuts the lane until its cursor is lost, then brings it back.
   * @param {import('./lane.js').Lane} lane
   */
  lose(lane) {
    lane.cut();
    this.#victims.add(lane);
    if (!this.#running) this.#run();
  }

  /**
   * Thinks better of it.
   * @param {import('./lane.js').Lane} lane
   */
  spare(lane) {
    this.#victims.delete(lane);
    lane.connect();
  }

  async #run() {
    this.#running = true;
    this.published = 0;
    const lines = new Array(BATCH).fill('.');
    try {
      for (;;) {
        for (const lane of this.#victims) {
          if (!await this.topic.hasForgotten(lane.cursor)) continue;
          this.tell(`The log has forgotten what ${lane.name} missed. It is connected again, and is told of the gap.`);
          this.spare(lane);
        }
        if (this.#victims.size === 0) return;
        if (this.published >= ENOUGH) throw new Error('the log still keeps everything');

        const ids = await this.topic.publishLines(lines, FILLER);
        this.published += ids.length;
        for (const lane of this.#victims) lane.changed = true;
        const last = ids[ids.length - 1];
        await Promise.all(this.lanes
          .filter((lane) => lane.isLive)
          .map((lane) => lane.reached(last, 15_000 + lane.interval.ms)));
      }
    } catch (error) {
      this.tell(`No gap could be made: ${error.message}.`);
      for (const lane of this.#victims) this.spare(lane);
    } finally {
      this.#running = false;
    }
  }
}
