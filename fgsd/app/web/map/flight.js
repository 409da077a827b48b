// A flight: the map pans and zooms to some positions, as an animation.
import { Animation } from "./animation.js";
import { clamp } from "./view.js";

/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./view.js").Size} Size */
/** @typedef {import("./view.js").Transform} Transform */

const FLIGHT_MS = 700;
const CLOSEST = 5; // zoom
const MARGIN = 0.12; // of the map, round the positions

/**
 * The transform that shows all positions, as large as there is room.
 *
 * @param {Position[]} positions at least one
 * @param {Size} size
 * @returns {Transform}
 */
export function fitting(positions, { width, height }) {
  const range = (/** @type {"x" | "y"} */ axis) => {
    const values = positions.map((position) => position[axis]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { middle: (low + high) / 2, extent: high - low + 2 * MARGIN };
  };
  const [x, y] = [range("x"), range("y")];
  const zoom = clamp(1 / Math.max(x.extent, y.extent), 1, CLOSEST);
  return { zoom, x: width * (0.5 - zoom * x.middle), y: height * (0.5 - zoom * y.middle) };
}

/**
 * The transform on the way from one to another: the zoom changes by equal factors in equal times, and what is
 * to be seen at the end moves straight to its place.
 *
 * @param {Transform} from
 * @param {Transform} to
 * @param {number} share from 0 to 1
 * @returns {Transform}
 */
export function transformAt(from, to, share) {
  const zoom = from.zoom * (to.zoom / from.zoom) ** share;
  const same = Math.abs(to.zoom - from.zoom) < 1e-6;
  const part = same ? share : (zoom - from.zoom) / (to.zoom - from.zoom);
  return { zoom, x: from.x + part * (to.x - from.x), y: from.y + part * (to.y - from.y) };
}

export class Flight {
  #animation = new Animation();
  /** @type {Transform | null} where the first of the flights began; null: there is nothing to return to */
  #home = null;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./zoom.js").Zoom} zoom
   */
  constructor(panel, zoom) {
    this.panel = panel;
    this.zoom = zoom;
    for (const type of ["pointerdown", "wheel"]) panel.map.addEventListener(type, () => this.end(), true);
    panel.section.addEventListener("keydown", (event) => {
      if (event.target !== panel.section.querySelector(".search")) this.end();
    });
  }

  /** Fly to where all these positions are in sight. @param {Position[]} positions */
  to(positions) {
    const { view } = this.panel;
    if (!view.isMap || !positions.length) return;
    this.#home ??= view.transform;
    this.#fly(fitting(positions, view.size));
  }

  /** Fly back to where the flights began, unless the visitor has moved the map since. */
  back() {
    if (this.#home && this.panel.view.isMap) this.#fly(this.#home);
    this.#home = null;
  }

  /** Do not fly back from here. */
  stay() {
    this.#home = null;
  }

  /** The visitor moves the map. */
  end() {
    this.#animation.stop();
    this.#home = null;
  }

  /** @param {Transform} goal */
  #fly(goal) {
    const from = this.panel.view.transform;
    this.#animation.run(FLIGHT_MS, (share) => this.zoom.set(transformAt(from, goal, share)));
  }
}
