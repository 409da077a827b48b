// Whether the map is in motion: zoomed or panned frame after frame. Then a canvas shows the thumbnails, and
// their buttons wait: hundreds of elements that move and change their size take longer than a frame.
import { findAll } from "../shared/dom.js";

/** @typedef {import("./view.js").Transform} Transform */

const MANY = 50; // textures, from which buttons wait
const SOON_MS = 250; // from one movement to the next, while the map is in motion

export class Motion {
  isRunning = false;
  #movedAt = -Infinity;
  #timer = 0;
  /** @type {Transform | null} */
  #last = null;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {() => void} place moves the buttons
   */
  constructor(panel, place) {
    this.panel = panel;
    this.place = place;
    this.isMany = findAll(panel.map, ".dot").length >= MANY;
    // a pointer that moves over the map finds the buttons where they are
    for (const type of ["pointermove", "pointerdown"]) {
      panel.map.addEventListener(type, () => this.isRunning && !panel.gesture && this.#settle(), true);
    }
  }

  /** Whether the map is in motion, as it shows this transform now. @param {Transform} transform */
  isOn(transform) {
    const last = this.#last;
    this.#last = transform;
    const hasMoved =
      last && (last.zoom !== transform.zoom || last.x !== transform.x || last.y !== transform.y);
    if (!hasMoved || !this.isMany || !this.panel.view.isMap) return this.isRunning;
    const now = performance.now();
    const again = now - this.#movedAt < SOON_MS;
    this.#movedAt = now;
    if (!again && !this.isRunning) return false; // one step, as by a button
    if (!this.isRunning) this.panel.section.classList.add("moving");
    this.isRunning = true;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#settle(), SOON_MS);
    return true;
  }

  #settle() {
    const { classList } = this.panel.section;
    window.clearTimeout(this.#timer);
    this.isRunning = false;
    classList.add("settling");
    this.place();
    classList.remove("moving");
    this.panel.repaint();
    requestAnimationFrame(() => requestAnimationFrame(() => classList.remove("settling")));
  }
}
