// A run: its id, and the steps of it that have arrived.
import { formatMs, percent } from "./format.js";

/**
 * Where a preview lies, see `fgsd.app.serving.picture_sizes.PreviewPart`: in the first of `n` pictures of
 * `size` pixels, `corner` pixels from its left and upper edge.
 *
 * @typedef {{ n: number, columns: number, size: number, corner: number }} Finished
 */

/**
 * One step of a run, as the server sends it; see `fgsd.app.render.frames`.
 *
 * @typedef {Object} Frame
 * @property {number} index of the step, from 1
 * @property {number} steps of the whole run
 * @property {boolean} last
 * @property {number} sigma noise level
 * @property {number | null} distance to the target, in spreads within a class
 * @property {number | null} relative_distance to the target, as a share of the usual distance between classes
 * @property {number} ms time of a step
 * @property {number} evaluations of the network, for each image
 * @property {string} device
 * @property {number} n images
 * @property {number} columns of the sheet that holds the images
 * @property {number} side of an image in the sheet, in pixels
 * @property {number | [number, number]} size of a sample, in pixels: its side, or height and width
 * @property {boolean} tileable
 * @property {string} src data URI of the sheet of noisy images; of the samples at the last step
 * @property {string | null} [estimate] data URI of the sheet of denoised estimates; null if it is the same
 * @property {string} label the target, in words
 * @property {string} name for files
 * @property {string | object} query the link of the picture, or the query of a painting
 * @property {string} [source] data URI of the newest step of a painting
 * @property {Record<string, import("./events.js").Point[]> | null} [path] the images on the map, by
 *  projection; null for a painting
 * @property {boolean} [preview] the frame follows a drag, and is no step of a run
 * @property {Finished} [finished] where a preview lies in the finished pictures
 */

/**
 * The step with this index, or else the nearest before it that has arrived, or else the first that has.
 * A busy browser skips some steps of a run that is under way.
 *
 * @param {(Frame | undefined)[]} steps step k is at k - 1
 * @param {number} index
 * @returns {Frame | undefined}
 */
export function nearestStep(steps, index) {
  let k = Math.min(Math.max(index, 1), steps.length) - 1;
  while (k > 0 && !steps[k]) k -= 1;
  return steps[k] ?? steps.find(Boolean);
}

/**
 * The values of a frame, as the panel's read-outs name and print them.
 *
 * @param {Frame} frame
 * @returns {Record<string, string>}
 */
export function readouts(frame) {
  return {
    step: `${frame.index} / ${frame.steps}`,
    sigma: frame.sigma.toFixed(frame.sigma < 1 ? 3 : 2),
    distance: percent(frame.relative_distance),
    ms: formatMs(frame.ms),
    evaluations: String(frame.evaluations),
    device: frame.device,
  };
}

/** State of a run. The panel replaces it when another run begins. */
export class Run {
  /** @param {number} id runs that began later have greater ids */
  constructor(id) {
    this.id = id;
    /** @type {(Frame | undefined)[]} step k is at k - 1; skipped steps arrive at the end of the run */
    this.steps = [];
    /** Whether each new step is shown as it arrives; not while the visitor looks at an earlier one. */
    this.followsNewest = true;
  }

  /**
   * Keep the frames that are new, and return those: the server also repeats older ones.
   *
   * @param {Frame[]} frames
   * @returns {Frame[]}
   */
  add(frames) {
    const added = frames.filter((frame) => !this.steps[frame.index - 1]);
    for (const frame of added) this.steps[frame.index - 1] = frame;
    return added;
  }

  /** The steps that have arrived, in order. @returns {Frame[]} */
  arrived() {
    return /** @type {Frame[]} */ (this.steps.filter(Boolean));
  }

  /** @param {number} index @returns {Frame | undefined} */
  nearest(index) {
    return nearestStep(this.steps, index);
  }
}
