// The timeline: slider, play button and chart, which go back and forth through the steps of a run.
import { find } from "./dom.js";
import { createChart } from "./chart.js";

/** @typedef {import("./run.js").Frame} Frame */
/** @typedef {import("./run.js").Run} Run */

const RUN_MS = 1600; // time to play a whole run, within the bounds of a step
const [MIN_STEP_MS, MAX_STEP_MS] = [30, 120];
// The first screen plays until the page is this old, so that its sample is there soon. Where the page opens
// later, on a slow machine, it plays for MIN_WELCOME_MS.
const WELCOME_UNTIL_MS = 1500;
const [MIN_WELCOME_MS, MAX_WELCOME_MS] = [100, 500];

/**
 * Milliseconds between two steps, when a run of this many steps plays.
 *
 * @param {number} count steps
 * @param {number} [runMs] for all of them, without a lower bound of a step
 */
export function stepMs(count, runMs) {
  return Math.min(MAX_STEP_MS, runMs === undefined ? Math.max(MIN_STEP_MS, RUN_MS / count) : runMs / count);
}

/**
 * Milliseconds for which the steps of the first screen play.
 *
 * @param {number} age of the page in milliseconds
 */
export function welcomeMs(age) {
  return Math.min(MAX_WELCOME_MS, Math.max(MIN_WELCOME_MS, WELCOME_UNTIL_MS - age));
}

/**
 * Index of the step to show after this time; a busy machine skips steps to keep the pace.
 *
 * @param {number} start index of the step that playing starts from
 * @param {number} elapsed milliseconds since
 * @param {number} pace milliseconds between two steps
 * @param {number} count steps
 */
export function playedStep(start, elapsed, pace, count) {
  return Math.min(count, start + Math.floor(elapsed / pace));
}

/**
 * Index of the step at this position across the chart.
 *
 * @param {number} share of the width; what lies outside counts as the edge
 * @param {number} total steps of the run
 */
export function stepAt(share, total) {
  return 1 + Math.round(Math.min(1, Math.max(0, share)) * (total - 1));
}

/**
 * @param {HTMLElement} panel
 * @param {Object} options
 * @param {() => Run} options.run the run that the panel shows
 * @param {() => Frame | null} options.current the frame on screen
 * @param {(frame: Frame) => void} options.show puts a frame on screen
 * @param {(frame: Frame) => void} options.readOut writes a frame's values, without showing its image
 */
export function createTimeline(panel, { run, current, show, readOut }) {
  const slider = find(panel, ".scrub", HTMLInputElement);
  const button = find(panel, ".play", HTMLButtonElement);
  const svg = find(panel, ".chart", SVGElement);
  const chart = createChart(svg);
  /** @type {number | null} timer of the next step, while the run plays */
  let timer = null;

  function draw() {
    const { steps } = run();
    const total = steps.at(-1)?.steps ?? current()?.steps ?? 1;
    const index = Number(panel.dataset.index) || 1;
    const frame = steps[index - 1];
    slider.max = String(total);
    slider.disabled = button.disabled = !steps.length;
    slider.value = String(index);
    slider.setAttribute(
      "aria-valuetext",
      frame ? `Step ${index} of ${total}, noise ${frame.sigma.toPrecision(2)}` : "",
    );
    const arrived = run().arrived();
    panel.dataset.steps = String(arrived.length);
    chart.draw(arrived, total, steps.length ? index : null);
  }

  /** @param {boolean} playing */
  function setPlaying(playing) {
    button.dataset.playing = String(playing);
    button.setAttribute("aria-label", playing ? "Pause" : "Play the steps");
  }

  function pause() {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    setPlaying(false);
  }

  /**
   * @param {number} start index of the first step
   * @param {number} [runMs] to play all steps of the run in
   */
  function play(start, runMs) {
    pause();
    setPlaying(true);
    const began = performance.now();
    const pace = stepMs(run().steps.length, runMs);
    function tick() {
      const count = run().steps.length; // the run may go on
      const index = playedStep(start, performance.now() - began, pace, count);
      if (index >= count) pause();
      else timer = window.setTimeout(tick, pace);
      goTo(index);
    }
    tick();
  }

  /** @param {number} index */
  function goTo(index) {
    const frame = run().nearest(index);
    if (!frame) return;
    run().followsNewest = frame === run().steps.at(-1);
    show(frame);
  }

  slider.addEventListener("input", () => {
    pause();
    goTo(Number(slider.value));
  });
  button.addEventListener("click", () => {
    const index = Number(panel.dataset.index);
    if (timer !== null) pause();
    else play(index < run().steps.length ? index : 1);
  });

  // ---- the chart is a second slider, and shows the values of the step under the pointer ----

  /** @param {PointerEvent} event */
  function frameUnder(event) {
    const box = svg.getBoundingClientRect();
    return run().nearest(stepAt((event.clientX - box.left) / box.width, Number(slider.max)));
  }

  svg.addEventListener("pointermove", (event) => {
    const frame = frameUnder(event);
    if (!frame) return;
    if (event.buttons) goTo(frame.index);
    else readOut(frame);
    chart.hover(frame);
  });
  svg.addEventListener("pointerdown", (event) => {
    const frame = frameUnder(event);
    if (!frame) return;
    svg.setPointerCapture(event.pointerId);
    pause();
    goTo(frame.index);
  });
  svg.addEventListener("pointerleave", () => {
    chart.hover(null);
    const frame = current();
    if (frame) readOut(frame);
  });

  return { draw, play, pause };
}
