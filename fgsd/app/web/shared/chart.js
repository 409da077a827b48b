// The chart above the timeline: noise level (logarithmic) and relative distance to the target (from 0) of
// each step, each on its own scale, aligned with the steps of the slider below.

/** @typedef {import("./run.js").Frame} Frame */

const MIN_SIGMA = 0.02; // noise level at the bottom, unless a run goes lower
const MIN_TOP = 0.05; // distance at the top, unless a run goes higher
const [BOTTOM, HEIGHT] = [94, 88]; // of the lines, in the units of the SVG's view box (100 x 100)

/**
 * Position of a step across the chart.
 *
 * @param {number} index of the step, from 1
 * @param {number} total steps of the run
 * @returns {number} percent of the width
 */
export function stepX(index, total) {
  return total > 1 ? (100 * (index - 1)) / (total - 1) : 50;
}

/**
 * The points of a line, as the attribute of an SVG polyline.
 *
 * @param {Frame[]} frames
 * @param {number} total steps of the run
 * @param {(frame: Frame) => number} height 0 (bottom) to 1 (top)
 */
export function polylinePoints(frames, total, height) {
  return frames
    .map((frame) => `${stepX(frame.index, total).toFixed(2)},${(BOTTOM - HEIGHT * height(frame)).toFixed(2)}`)
    .join(" ");
}

/**
 * Height of each frame's noise level: logarithmic, from the lowest level of the run to the highest.
 *
 * @param {Frame[]} frames
 * @returns {(frame: Frame) => number}
 */
export function sigmaHeight(frames) {
  const sigmas = frames.map((frame) => frame.sigma);
  const low = Math.log(Math.min(MIN_SIGMA, ...sigmas));
  const high = Math.log(Math.max(2 * MIN_SIGMA, ...sigmas));
  return (frame) => (Math.log(frame.sigma) - low) / (high - low);
}

/**
 * Height of each frame's distance: linear, from 0 to the largest of the run, which is at least `MIN_TOP`.
 *
 * @param {Frame[]} frames
 * @returns {(frame: Frame) => number}
 */
export function distanceHeight(frames) {
  const max = Math.max(MIN_TOP, ...frames.map((frame) => frame.relative_distance ?? 0));
  return (frame) => (frame.relative_distance ?? 0) / max;
}

/**
 * @param {SVGElement} svg with the lines `.sigma`, `.distance`, `.marker` and `.hover`
 */
export function createChart(svg) {
  /** @param {string} name */
  const line = (name) => /** @type {SVGElement} */ (svg.querySelector(`.${name}`));

  /**
   * Move a vertical line; null hides it.
   *
   * @param {SVGElement} mark
   * @param {number | null} x
   */
  function drawVertical(mark, x) {
    mark.style.display = x === null ? "none" : "";
    for (const end of ["x1", "x2"]) mark.setAttribute(end, String(x ?? 0));
  }

  return {
    /**
     * @param {Frame[]} frames
     * @param {number} total steps of the run
     * @param {number | null} index of the step on screen; null if there is none
     */
    draw(frames, total, index) {
      line("sigma").setAttribute("points", polylinePoints(frames, total, sigmaHeight(frames)));
      const measured = frames.filter((frame) => (frame.relative_distance ?? null) !== null);
      line("distance").setAttribute("points", polylinePoints(measured, total, distanceHeight(measured)));
      drawVertical(line("marker"), index === null ? null : stepX(index, total));
    },
    /**
     * Mark the step under the pointer.
     *
     * @param {Frame | null} frame
     */
    hover(frame) {
      drawVertical(line("hover"), frame && stepX(frame.index, frame.steps));
    },
  };
}
