// A loop: the pictures from one texture to the next and back, played in a circle.
import { find, make, reducedMotion } from "../shared/dom.js";
import { formatMixture } from "../shared/format.js";
import { drawAnimated } from "./canvas.js";

/** @typedef {import("./frame.js").Frame} Frame */

/**
 * The position to show: this one, or the nearest before it whose picture has arrived. A loop plays as soon as
 * it has a few pictures, and grows finer.
 *
 * @param {unknown[]} pictures by position; undefined where none has arrived
 * @param {number} position
 * @param {number} count positions
 */
export function arrivedPosition(pictures, position, count) {
  let found = position % count;
  for (let k = 0; k < count && !pictures[found]; k += 1) found = (found || count) - 1;
  return found;
}

/**
 * The controls of the loop. Its position, and whether it plays, outlast a run.
 *
 * @param {HTMLElement} panel
 */
export function createPlayer(panel) {
  const button = find(panel, ".player .play");
  const slider = find(panel, ".player input", HTMLInputElement);
  const state = {
    /** @type {{ frame: Frame, canvas: HTMLCanvasElement } | null} the loop on the stage */
    loop: null,
    position: 0,
    playing: !reducedMotion(),
    /** @type {number | null} */
    timer: null,
  };

  function paint() {
    if (!state.loop) return;
    const { frame, canvas } = state.loop;
    const now = state.position % frame.count;
    const position = arrivedPosition(frame.pictures, now, frame.count);
    drawAnimated(canvas, frame.pictures[position]);
    canvas.setAttribute("aria-label", `Loop through ${frame.ends.join(", ")}`);
    panel.dataset.position = String(position);
    slider.max = String(frame.count - 1);
    slider.value = String(now);
    slider.setAttribute("aria-valuetext", formatMixture(frame.weights[now]));
  }

  /** Start or stop the timer. */
  function schedule() {
    const { loop } = state;
    if (state.playing && loop && state.timer === null) {
      state.timer = window.setInterval(() => {
        state.position = (state.position + 1) % loop.frame.count;
        paint();
      }, 1000 * loop.frame.seconds);
    } else if (!(state.playing && loop) && state.timer !== null) {
      clearInterval(state.timer);
      state.timer = null;
    }
  }

  /** @param {boolean} playing */
  function setPlaying(playing) {
    state.playing = playing;
    button.textContent = playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    schedule();
  }

  button.addEventListener("click", () => setPlaying(!state.playing));
  slider.addEventListener("input", () => {
    setPlaying(false);
    state.position = Number(slider.value);
    paint();
  });
  setPlaying(state.playing);

  return {
    /** @param {HTMLElement} stage @returns {import("./stages.js").Stage} */
    createStage(stage) {
      const canvas = make("canvas", { className: "single" });
      canvas.setAttribute("role", "img");
      stage.append(canvas);
      return {
        paint(frame) {
          state.loop = { frame, canvas };
          paint();
          schedule();
        },
        remove() {
          state.loop = null;
          schedule();
        },
      };
    },
  };
}
