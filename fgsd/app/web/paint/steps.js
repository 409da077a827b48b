// All steps of a painting: shown as they arrive; the timeline goes back and forth through them. They are
// shown as denoised estimates, since a picture that turns to noise after each stroke hides what one paints.
import { decodeImage, find } from "../shared/dom.js";
import { emit } from "../shared/events.js";
import { Run, readouts } from "../shared/run.js";
import { createTimeline } from "../shared/timeline.js";

/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * Seconds in words.
 *
 * @param {number} ms
 */
const seconds = (ms) => `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;

/**
 * The time that steps take, in words.
 *
 * @param {Frame} frame the newest step
 */
export function durationWords({ index, steps, ms, last }) {
  if (last) return `${steps} steps in ${seconds(steps * ms)}`;
  return `Step ${index} of ${steps}, ${seconds((steps - index) * ms)} left`;
}

export class Steps {
  /**
   * @param {HTMLElement} section the panel
   * @param {(frame: Frame) => void} onShown called when a step is on the screen
   */
  constructor(section, onShown) {
    this.section = section;
    this.onShown = onShown;
    this.image = find(section, ".painting", HTMLImageElement);
    this.duration = find(section, ".duration");
    this.run = new Run(0);
    /** @type {object} the query of the run */
    this.query = {};
    /** @type {Frame | null} on the screen */
    this.frame = null;
    this.requested = 0; // frames that were to be shown
    this.shown = 0; // number of the one on the screen: an older one must not win
    this.msPerPixel = 0; // of a step, as measured last
    this.timeline = createTimeline(section, {
      run: () => this.run,
      current: () => this.frame,
      show: (frame) => void this.show(frame),
      readOut: (frame) => this.#readOut(frame),
    });
  }

  /**
   * Forget the steps of the picture before.
   *
   * @param {number} number of the query that follows
   * @param {object} query
   */
  begin(number, query) {
    this.run = new Run(number);
    this.query = query;
    this.frame = null;
    this.timeline.pause();
    this.timeline.draw();
  }

  /**
   * Say how long all steps will take; nothing before one picture was finished.
   *
   * @param {number} side of the picture, in pixels
   */
  estimate(side) {
    const steps = Number(this.section.dataset.allSteps);
    const ms = steps * this.msPerPixel * side * side;
    this.duration.textContent = ms ? `All ${steps} steps will take ${seconds(ms)}` : "";
  }

  /** @param {Frame[]} frames the newest last */
  receive(frames) {
    const newest = frames[frames.length - 1];
    if (!this.run.add(frames).length) return;
    this.duration.textContent = durationWords(newest);
    this.timeline.draw();
    const side = Array.isArray(newest.size) ? newest.size[0] : newest.side;
    if (newest.last) this.msPerPixel = newest.ms / side ** 2;
    if (this.run.followsNewest) void this.show(newest);
  }

  /** @param {Frame} frame */
  async show(frame) {
    this.requested += 1;
    const number = this.requested;
    const { run } = this;
    const { src } = await decodeImage(frame.estimate ?? frame.src);
    if (run !== this.run || number < this.shown) return;
    this.shown = number;
    this.frame = frame;
    this.image.src = src;
    this.section.dataset.index = String(frame.index);
    this.#readOut(frame);
    this.timeline.draw();
    const newest = run.arrived().at(-1);
    const source = newest?.estimate ?? newest?.src;
    emit("frame", { ...frame, run: run.id, query: this.query, source, tileable: false });
    this.onShown(frame);
  }

  /** @param {Frame} frame */
  #readOut(frame) {
    const texts = readouts(frame);
    for (const name of ["sigma", "distance"])
      find(this.section, `[data-readout="${name}"]`).textContent = texts[name];
  }
}
