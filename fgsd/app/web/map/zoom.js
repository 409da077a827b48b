// The zoom of the map: buttons, wheel and double click.
import { closest, find } from "../shared/dom.js";
import { zoomedAt } from "./view.js";

/** @typedef {import("./view.js").Position} Position */

const BUTTON_FACTOR = 1.5;
const PIXELS_A_LINE = 20; // of a wheel that counts lines
const WHEEL_RATE = 0.0015; // of the logarithm of the zoom, for each pixel
const TRACKPAD_RATE = 0.01; // the same for a pinch on a trackpad, which arrives as a wheel with Ctrl

export class Zoom {
  /** @param {import("./panel.js").MapPanel} panel */
  constructor(panel) {
    this.panel = panel;
    find(panel.section, ".zoom").addEventListener("click", (event) => {
      const direction = closest(event, "button")?.dataset.zoom;
      if (direction) this.press(direction);
    });
    panel.map.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#changed();
  }

  /** As a press on one of the buttons. @param {string} direction in, out, all */
  press(direction) {
    if (direction === "all") this.set({ zoom: 1, x: 0, y: 0 });
    else this.by(direction === "in" ? BUTTON_FACTOR : 1 / BUTTON_FACTOR);
  }

  /** @param {number} factor @param {Position} [pixel] that stays in place, by default the middle */
  by(factor, pixel) {
    const { view } = this.panel;
    const middle = { x: view.size.width / 2, y: view.size.height / 2 };
    if (view.isMap) this.set(zoomedAt(view.transform, factor, pixel ?? middle));
  }

  /** Move the map under the hand. @param {number} x @param {number} y pixels */
  panBy(x, y) {
    const { transform } = this.panel.view;
    this.set({ ...transform, x: transform.x + x, y: transform.y + y });
  }

  /** @param {import("./view.js").Transform} transform */
  set(transform) {
    this.panel.view.setTransform(transform);
    this.#changed();
  }

  /** The map has another size. @param {import("./view.js").Size} size */
  resize(size) {
    this.panel.view.resize(size);
    this.#changed();
  }

  #changed() {
    this.panel.section.dataset.zoom = String(Number(this.panel.view.transform.zoom.toFixed(4)));
    this.panel.move();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const { view } = this.panel;
    if (!view.isMap || (view.transform.zoom === 1 && event.deltaY > 0)) return; // the page scrolls
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? PIXELS_A_LINE : 1);
    this.by(Math.exp(-pixels * (event.ctrlKey ? TRACKPAD_RATE : WHEEL_RATE)), this.panel.pixelOf(event));
  }
}
