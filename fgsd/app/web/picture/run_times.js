// How long a run takes, by the server or by the browser, as far as runs before tell it.
import { median } from "./maker.js";

/** @typedef {import("./maker.js").Maker} Maker */

const KEPT = 3; // runs by each
const MARGIN = 0.8; // of the time of the server, that the browser may take

/**
 * Pixels that the network evaluates in a run.
 *
 * @param {{ n: number, size: number, steps: number, sampler: string }} request
 */
export function workOf({ n, size, steps, sampler }) {
  return n * size ** 2 * (sampler === "heun" ? 2 * steps - 1 : steps);
}

export class RunTimes {
  /** @type {Record<Maker, number[]>} milliseconds per pixel */
  #rates = { server: [], browser: [] };

  /**
   * @param {Maker} maker
   * @param {number} work see `workOf`
   * @param {number} ms of the whole run, with waiting
   */
  add(maker, work, ms) {
    this.#rates[maker] = [...this.#rates[maker], ms / work].slice(-KEPT);
  }

  /**
   * The milliseconds that a run is expected to take; null if nothing is known.
   *
   * @param {Maker} maker
   * @param {number} work
   */
  expected(maker, work) {
    const rates = this.#rates[maker];
    return rates.length ? work * median(rates) : null;
  }

  /** Whether the browser makes a run sooner. @param {number} work */
  favoursBrowser(work) {
    const [server, browser] = [this.expected("server", work), this.expected("browser", work)];
    return server !== null && browser !== null && browser < MARGIN * server;
  }

  /**
   * Whether the browser makes a run sooner that waits for the server: a queue that has lasted a while lasts
   * as long again.
   *
   * @param {number} work
   * @param {number} waited milliseconds
   */
  favoursBrowserAfter(work, waited) {
    const browser = this.expected("browser", work);
    return browser !== null && browser < MARGIN * (waited + (this.expected("server", work) ?? 0));
  }
}
