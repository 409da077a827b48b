// An animation that slows down towards its end.
import { reducedMotion } from "../shared/dom.js";

export class Animation {
  #frame = 0;

  /** End the movement where it is. */
  stop() {
    cancelAnimationFrame(this.#frame);
  }

  /**
   * Call `step` with shares from 0 to 1, once a frame. A second call ends the first.
   *
   * @param {number} ms duration; 0 calls `step(1)` at once, as for visitors who asked for reduced motion
   * @param {(share: number) => void} step
   */
  run(ms, step) {
    this.stop();
    if (ms === 0 || reducedMotion()) return step(1);
    const start = performance.now();
    const frame = (/** @type {number} */ now) => {
      const time = Math.min(1, Math.max(0, (now - start) / ms));
      step(1 - (1 - time) ** 3);
      if (time < 1) this.#frame = requestAnimationFrame(frame);
    };
    this.#frame = requestAnimationFrame(frame);
    return undefined;
  }
}
