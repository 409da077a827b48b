// Keys of the map: zoom, lasso, and Alt with arrows to move a thumbnail. Those of the ring are in ring.js.
import { closest } from "../shared/dom.js";
import { KeyboardMove } from "./gestures.js";
import { arrowStep } from "./ring.js";

/** @type {Record<string, string>} */
const ZOOM_KEYS = { "+": "in", "=": "in", "-": "out", "−": "out", 0: "all" };
const TEXT_INPUTS = "input, select, textarea, [contenteditable]";

export class Keyboard {
  isSpaceDown = false;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {Object} parts
   * @param {import("./ring.js").Ring} parts.ring
   * @param {import("./lasso.js").Lasso} parts.lasso
   * @param {import("./zoom.js").Zoom} parts.zoom
   */
  constructor(panel, parts) {
    this.panel = panel;
    this.parts = parts;
    document.addEventListener("keydown", (event) => this.#down(event));
    document.addEventListener("keyup", (event) => this.#up(event));
    panel.map.addEventListener("keydown", (event) => this.#moveThumbnail(event));
    panel.map.addEventListener("focusout", () => this.#endMove());
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const { key, target } = event;
    const elsewhere = target !== document.body && !this.panel.section.contains(/** @type {Node} */ (target));
    if (elsewhere || closest(event, TEXT_INPUTS) || event.ctrlKey || event.metaKey) return;
    if (key === " " && target === document.body) {
      this.isSpaceDown = true;
      event.preventDefault(); // the page would scroll
    }
    const { zoom, lasso } = this.parts;
    if (key in ZOOM_KEYS) zoom.press(ZOOM_KEYS[key]);
    else if (key.toLowerCase() === "l" || (key === "Escape" && lasso.isOn)) lasso.toggle();
  }

  /** @param {KeyboardEvent} event */
  #up({ key }) {
    if (key === " ") this.isSpaceDown = false;
    if (key === "Alt") this.#endMove();
  }

  /** @param {KeyboardEvent} event */
  #moveThumbnail(event) {
    const { panel } = this;
    const name = closest(event, ".dot")?.dataset.name;
    const step = arrowStep(event, panel.view);
    if (!name || !event.altKey || !step || !panel.view.isLinear) return;
    event.preventDefault();
    const { gesture } = panel;
    const move = gesture instanceof KeyboardMove ? gesture : new KeyboardMove(panel, this.parts.ring, name);
    if (move !== gesture) {
      panel.gesture = move;
      move.begin();
    }
    move.moveBy(step);
  }

  #endMove() {
    const { gesture } = this.panel;
    if (!(gesture instanceof KeyboardMove)) return;
    this.panel.gesture = null;
    gesture.end();
  }
}
