// Turns pointer events on the map into gestures.
import { closest } from "../shared/dom.js";
import { LassoStroke, Pan, Pinch, Press, RingDrag, TextureDrag } from "./gestures.js";
import { START_WEIGHT, entryOf } from "./target.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./gestures.js").Gesture} Gesture */

const DOUBLE_CLICK_MS = 500;

/**
 * @typedef {Object} Parts
 * @property {import("./ring.js").Ring} ring
 * @property {import("./lasso.js").Lasso} lasso
 * @property {import("./zoom.js").Zoom} zoom
 * @property {import("./tooltip.js").Tooltip} tooltip
 * @property {HTMLCanvasElement} ground the canvas with the crops
 * @property {import("./keyboard.js").Keyboard} keyboard
 */

export class Pointer {
  /** @type {Map<number, Position>} fingers on the map, by pointer */
  #fingers = new Map();
  #ignoreClick = false; // ignore the click that follows a drag
  // the last press on the background: a double click restores the target from before its first press
  #press = { time: -Infinity, before: /** @type {TargetEntry[] | null} */ (null) };

  /** @param {import("./panel.js").MapPanel} panel @param {Parts} parts */
  constructor(panel, parts) {
    this.panel = panel;
    this.parts = parts;
    const { map } = panel;
    map.addEventListener("pointerdown", (event) => this.#down(event));
    map.addEventListener("click", (event) => this.#click(event));
    map.addEventListener("dblclick", (event) => this.#doubleClick(event));
    map.addEventListener("contextmenu", (event) => panel.view.isMap && event.preventDefault());
    // on the window: a fast pointer may leave the thumbnail before it is captured
    window.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) {
      window.addEventListener(type, (event) => this.#up(event));
    }
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (closest(event, ".zoom")) return;
    const { panel, parts } = this;
    this.#ignoreClick = false;
    parts.tooltip.hide();
    if (event.pointerType === "touch") this.#fingers.set(event.pointerId, panel.pixelOf(event));
    if (this.#fingers.size === 2 && panel.view.isMap) this.#pinch();
    else if (!panel.gesture) panel.gesture = this.#gestureOf(event);
  }

  /** The gesture that a press begins. @param {PointerEvent} event @returns {Gesture | null} */
  #gestureOf(event) {
    const { panel, parts } = this;
    const panning = event.button === 1 || event.button === 2 || parts.keyboard.isSpaceDown || event.altKey;
    if (panning && panel.view.isMap) return new Pan(panel, event, (x, y) => parts.zoom.panBy(x, y));
    if (event.button !== 0) return null;
    if (parts.lasso.isOn) return new LassoStroke(panel, event, parts.lasso);
    const name = closest(event, ".dot")?.dataset.name;
    if (name !== undefined) {
      const adding = panel.isAdding(event);
      return new Press(panel, event, (move, start) => this.#dragThumbnail(name, adding, move, start));
    }
    // the first press of a double click has moved the ring already: keep the target from before it
    if (event.timeStamp - this.#press.time > DOUBLE_CLICK_MS) this.#press.before = panel.target;
    this.#press.time = event.timeStamp;
    return this.#dragRing(event, !closest(event, ".ring"));
  }

  /** @param {PointerEvent} event @param {boolean} jump */
  #dragRing(event, jump) {
    const drag = new RingDrag(this.panel, this.parts.ring);
    this.panel.gesture = drag;
    drag.begin(event, jump);
    return drag;
  }

  // On the plane of PCA, drag the thumbnail. Elsewhere a move of a texture has no meaning: drag the ring.
  /** @param {string} name @param {boolean} adding @param {PointerEvent} event @param {Position} start */
  #dragThumbnail(name, adding, event, start) {
    const { panel } = this;
    if (!panel.view.isMap && event.pointerType === "touch") {
      panel.gesture = null; // the finger scrolls the page
      return;
    }
    this.#ignoreClick = true;
    if (!panel.view.isLinear) {
      this.#dragRing(event, true);
      return;
    }
    const begin = (/** @type {TargetEntry[]} */ target) => {
      const drag = new TextureDrag(panel, this.parts.ring, name, start);
      panel.gesture = drag;
      panel.setTarget(target);
      drag.begin(event);
    };
    if (entryOf(panel.target, name)) begin(panel.target);
    else if (adding) panel.add(name, begin);
    else begin([{ name, weight: START_WEIGHT }]);
  }

  #pinch() {
    const { panel } = this;
    const { zoom } = this.parts;
    panel.gesture?.cancel();
    panel.gesture = new Pinch(this.#fingers, (factor, from, to) => {
      zoom.panBy(to.x - from.x, to.y - from.y);
      zoom.by(factor, to);
    });
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { panel, parts } = this;
    if (this.#fingers.has(event.pointerId)) this.#fingers.set(event.pointerId, panel.pixelOf(event));
    const { gesture } = panel;
    if (gesture) {
      if (gesture.pointerId === null || gesture.pointerId === event.pointerId) gesture.move(event);
    } else if (event.target === parts.ground) void parts.tooltip.showAt(panel.pixelOf(event));
    else parts.tooltip.hide();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const { panel } = this;
    this.#fingers.delete(event.pointerId);
    const { gesture } = panel;
    const isOver =
      gesture?.pointerId === null ? this.#fingers.size === 0 : gesture?.pointerId === event.pointerId;
    if (!gesture || !isOver) return;
    panel.gesture = null;
    gesture.end();
    panel.endDrag(); // also one that arrow keys have begun
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const name = closest(event, ".dot")?.dataset.name;
    if (name === undefined || this.#ignoreClick || this.parts.lasso.isOn) return;
    this.panel.pick(name, this.panel.isAdding(event));
  }

  /** @param {MouseEvent} event */
  #doubleClick(event) {
    const { panel } = this;
    if (closest(event, ".dot, .zoom") || !panel.view.isMap) return;
    this.parts.zoom.by(event.shiftKey ? 0.5 : 2, panel.pixelOf(event));
    const { before } = this.#press;
    if (before && JSON.stringify(before) !== JSON.stringify(panel.target)) panel.choose(before);
  }
}
