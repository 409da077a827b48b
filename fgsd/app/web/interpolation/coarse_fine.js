// Coarse/fine: one picture that takes coarse structure from one texture and detail from another. A slider
// sets the noise level at which diffusion switches from the first to the second; while it is dragged, a
// preview follows.
import { find, findAll, make } from "../shared/dom.js";
import { drawLarge } from "./canvas.js";

/** @typedef {import("./frame.js").Frame} Frame */

/**
 * Position on the slider of the stop nearest to a noise level. The slider runs like diffusion, from the
 * highest level on the left to the lowest on the right.
 *
 * @param {number[]} stops noise levels, increasing
 * @param {number} sigma
 */
export function sliderPosition(stops, sigma) {
  const gaps = stops.map((stop) => Math.abs(Math.log(stop / sigma)));
  return stops.length - 1 - gaps.indexOf(Math.min(...gaps));
}

/**
 * Noise level at a position of the slider.
 *
 * @param {number[]} stops noise levels, increasing
 * @param {number} position
 */
export const sigmaAt = (stops, position) => stops[stops.length - 1 - position];

/**
 * What a position of the slider means.
 *
 * @param {number[]} stops noise levels, increasing
 * @param {number} position
 */
export function switchLabel(stops, position) {
  if (position === 0) return "the second alone";
  if (position === stops.length - 1) return "the first alone";
  return `switch at σ = ${sigmaAt(stops, position).toPrecision(2)}`;
}

/**
 * @param {HTMLElement} panel
 * @param {Object} options
 * @param {() => void} options.onGrab the slider was taken
 * @param {(sigma: number) => void} options.onDrag the slider has moved in the hand
 * @param {(sigma: number) => void} options.onRelease it was let go
 * @param {() => void} options.onSwap the two textures are to be swapped
 */
export function createCoarseFine(panel, { onGrab, onDrag, onRelease, onSwap }) {
  const controls = find(panel, ".coarse-fine");
  const slider = find(controls, "input", HTMLInputElement);
  const stops = /** @type {number[]} */ (JSON.parse(panel.dataset.stops ?? "[]"));
  const state = {
    dragging: false,
    /** @type {string[]} the two textures; none while there is no picture */
    ends: [],
  };
  slider.max = String(stops.length - 1);

  const sigma = () => sigmaAt(stops, Number(slider.value));

  function draw() {
    const [coarse, fine] = findAll(controls, ".end");
    const [first = "", second = ""] = state.ends;
    coarse.textContent = first && `coarse: ${first}`;
    fine.textContent = second && `detail: ${second}`;
    controls.hidden = !first;
    const position = Number(slider.value);
    const label = switchLabel(stops, position);
    find(controls, "output").textContent = label;
    slider.setAttribute("aria-valuetext", label);
  }

  slider.addEventListener("input", () => {
    draw();
    if (!state.dragging) onGrab();
    state.dragging = true;
    onDrag(sigma());
  });
  slider.addEventListener("change", () => {
    state.dragging = false;
    onRelease(sigma());
  });
  find(controls, ".swap").addEventListener("click", onSwap);

  return {
    state,
    /** @param {number} level the noise level that is set; a slider in the hand stays where it is */
    set(level) {
      if (!state.dragging) slider.value = String(sliderPosition(stops, level));
      draw();
    },
    /** @param {HTMLElement} stage @returns {import("./stages.js").Stage} */
    createStage(stage) {
      const canvas = make("canvas", { className: "single" });
      canvas.setAttribute("role", "img");
      stage.append(canvas);
      return {
        paint({ ends, pictures }) {
          drawLarge(canvas, pictures[0]);
          canvas.setAttribute("aria-label", `Coarse structure of ${ends[0]}, detail of ${ends[1]}`);
          state.ends = ends;
          draw();
        },
        remove() {
          state.ends = [];
          draw();
        },
      };
    },
  };
}
