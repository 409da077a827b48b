// The stage of the interpolation panel holds the pictures of one mode, built once and painted for each frame.
import { closest } from "../shared/dom.js";
import { createGrid } from "./grid.js";
import { createStrip } from "./strip.js";

/** @typedef {import("./frame.js").Frame} Frame */

/**
 * What a mode has put on the stage.
 *
 * @typedef {Object} Stage
 * @property {(frame: Frame) => void} paint
 * @property {(target: Element) => void} [hover] the pointer or the focus is on this element
 * @property {(event: KeyboardEvent) => void} [keydown]
 * @property {() => void} [remove] it leaves the stage
 */

/** @typedef {(stage: HTMLElement, frame: Frame) => Stage} StageMaker */

/**
 * @param {HTMLElement} element
 * @param {Object} options
 * @param {StageMaker} options.loop
 * @param {StageMaker} options.coarseFine
 * @param {(weights: Record<string, number>) => void} options.onSelect a picture was clicked, which has this
 *  mixture
 */
export function createStages(element, { loop, coarseFine, onSelect }) {
  /** @type {Record<Frame["mode"], StageMaker>} */
  const makers = { strip: createStrip, grid: createGrid, loop, "coarse-fine": coarseFine };
  const state = {
    /** @type {Frame | null} */
    frame: null,
    /** @type {Stage | null} */
    stage: null,
  };

  /** @param {Frame} frame */
  function paint(frame) {
    const { frame: last } = state;
    if (!state.stage || last?.mode !== frame.mode || last.count !== frame.count) {
      clear();
      state.stage = makers[frame.mode](element, frame);
    }
    state.frame = frame;
    state.stage.paint(frame);
  }

  function clear() {
    state.stage?.remove?.();
    state.stage = state.frame = null;
    element.replaceChildren();
  }

  element.addEventListener("click", (event) => {
    const cell = closest(event, ".cell");
    if (cell && state.frame) onSelect(state.frame.weights[Number(cell.dataset.position)]);
  });
  for (const kind of ["pointerover", "focusin"]) {
    element.addEventListener(kind, ({ target }) => target instanceof Element && state.stage?.hover?.(target));
  }
  element.addEventListener("keydown", (event) => state.stage?.keydown?.(event));
  new ResizeObserver(() => {
    if (state.frame && element.clientWidth) paint(state.frame);
  }).observe(element);

  return { state, paint, clear };
}
