// Gestures on the map, one object for each: `begin` starts it, `move` continues it, `end` completes it.
// `cancel` undoes it, because another gesture takes over.
import { emit } from "../shared/events.js";
import { entryOf, START_WEIGHT, withMove } from "./target.js";
import { clamp } from "./view.js";

/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./panel.js").MapPanel} MapPanel */

/**
 * @typedef {Object} Gesture
 * @property {number | null} pointerId of the pointer that it follows; null: all fingers
 * @property {(event: PointerEvent) => void} move
 * @property {() => void} end
 * @property {() => void} cancel
 */

const NO_POINTER = -1;
const CLICK_DISTANCE = 4; // pixels: a press that moves no further is a click

/** @param {MapPanel} panel @param {PointerEvent} event */
function capture(panel, event) {
  event.preventDefault();
  panel.map.setPointerCapture(event.pointerId);
}

/**
 * A drag that changes the target. `cancel` restores the target and samples it, since the start of the drag
 * has ended the run.
 *
 * @implements {Gesture}
 */
class TargetDrag {
  /** @type {number | null} */
  pointerId = NO_POINTER;

  /** @param {MapPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.before = panel.target;
  }

  move(/** @type {PointerEvent} */ _event) {}

  end() {
    this.panel.endDrag();
  }

  cancel() {
    this.panel.stopDrag();
    this.panel.choose(this.before);
  }
}

/** A drag of the ring. */
export class RingDrag extends TargetDrag {
  /** @param {MapPanel} panel @param {import("./ring.js").Ring} ring */
  constructor(panel, ring) {
    super(panel);
    this.ring = ring;
  }

  /** @param {PointerEvent} event @param {boolean} jump whether the ring jumps to the pointer at once */
  begin(event, jump) {
    capture(this.panel, event);
    this.pointerId = event.pointerId;
    this.ring.button.focus({ preventScroll: true });
    this.panel.startDrag();
    if (jump) this.move(event);
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.ring.put(this.panel.view.toPosition(this.panel.pixelOf(event)));
  }
}

/** A move of a texture over the plane of PCA, where its centroid moves exactly as its thumbnail does. */
class TextureMove extends TargetDrag {
  /** @param {MapPanel} panel @param {import("./ring.js").Ring} ring @param {string} name */
  constructor(panel, ring, name) {
    super(panel);
    this.ring = ring;
    this.name = name;
  }

  /** The move so far. @returns {[number, number]} */
  get moved() {
    return entryOf(this.panel.target, this.name)?.move ?? [0, 0];
  }

  /** @param {number} dx @param {number} dy in widths and heights of the map */
  moveTo(dx, dy) {
    const { maxMove } = this.panel.data;
    const rounded = (/** @type {number} */ v) => Math.round(1e4 * clamp(v, -maxMove, maxMove)) / 1e4;
    const target = withMove(this.panel.target, this.name, [rounded(dx), rounded(dy)]);
    this.panel.setTarget(target);
    emit("move", target);
  }
}

/** A drag of a thumbnail over the plane of PCA. */
export class TextureDrag extends TextureMove {
  /**
   * @param {MapPanel} panel
   * @param {import("./ring.js").Ring} ring
   * @param {string} name
   * @param {Position} start pixel that it was pressed at
   */
  constructor(panel, ring, name, start) {
    super(panel, ring, name);
    this.start = start;
  }

  /** @param {PointerEvent} event */
  begin(event) {
    capture(this.panel, event);
    this.pointerId = event.pointerId;
    this.ring.forget();
    this.from = this.moved;
    this.panel.startDrag();
    this.move(event);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { x, y } = this.panel.pixelOf(event);
    const { transform, size } = this.panel.view;
    const [dx, dy] = this.from ?? [0, 0];
    this.moveTo(
      dx + (x - this.start.x) / (transform.zoom * size.width),
      dy + (y - this.start.y) / (transform.zoom * size.height),
    );
  }
}

/** Moves of a thumbnail by Alt and arrow keys, until Alt is released or the focus is lost. */
export class KeyboardMove extends TextureMove {
  begin() {
    if (!entryOf(this.panel.target, this.name)) {
      this.panel.setTarget([{ name: this.name, weight: START_WEIGHT }]);
    }
    this.ring.forget();
    this.panel.startDrag();
  }

  /** @param {Position} step */
  moveBy({ x, y }) {
    const [dx, dy] = this.moved;
    this.moveTo(dx + x, dy + y);
  }
}

/**
 * A press on a thumbnail: a click, or a drag once it has moved.
 *
 * @implements {Gesture}
 */
export class Press {
  /**
   * @param {MapPanel} panel
   * @param {PointerEvent} event
   * @param {(event: PointerEvent, start: Position) => void} dragged called with each move that is too long
   *  for a click; it may set another gesture
   */
  constructor(panel, event, dragged) {
    this.panel = panel;
    this.pointerId = event.pointerId;
    this.start = panel.pixelOf(event);
    this.dragged = dragged;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { x, y } = this.panel.pixelOf(event);
    if (Math.hypot(x - this.start.x, y - this.start.y) > CLICK_DISTANCE) this.dragged(event, this.start);
  }

  end() {}

  cancel() {}
}

/**
 * Moves the zoomed map with the pointer.
 *
 * @implements {Gesture}
 */
export class Pan {
  /**
   * @param {MapPanel} panel
   * @param {PointerEvent} event
   * @param {(x: number, y: number) => void} panBy pixels
   */
  constructor(panel, event, panBy) {
    capture(panel, event);
    this.panel = panel;
    this.pointerId = event.pointerId;
    this.last = panel.pixelOf(event);
    this.panBy = panBy;
    panel.section.classList.add("panning");
  }

  /** @param {PointerEvent} event */
  move(event) {
    const pixel = this.panel.pixelOf(event);
    this.panBy(pixel.x - this.last.x, pixel.y - this.last.y);
    this.last = pixel;
  }

  end() {
    this.panel.section.classList.remove("panning");
  }

  cancel() {
    this.end();
  }
}

/**
 * Draws the outline of the lasso.
 *
 * @implements {Gesture}
 */
export class LassoStroke {
  /** @type {Position[]} */
  outline = [];

  /** @param {MapPanel} panel @param {PointerEvent} event @param {import("./lasso.js").Lasso} lasso */
  constructor(panel, event, lasso) {
    capture(panel, event);
    this.panel = panel;
    this.pointerId = event.pointerId;
    this.lasso = lasso;
    this.move(event);
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.outline.push(this.panel.view.toPosition(this.panel.pixelOf(event)));
    this.lasso.setOutline(this.outline);
  }

  end() {
    this.cancel();
    this.lasso.choose(this.outline);
  }

  cancel() {
    this.lasso.setOutline([]);
  }
}

/**
 * Zooms and pans by two fingers.
 *
 * @implements {Gesture}
 */
export class Pinch {
  pointerId = null;

  /**
   * @param {Map<number, Position>} fingers on the map, by pointer: kept up to date by the caller
   * @param {(factor: number, from: Position, to: Position) => void} zoomTo zooms, and moves a pixel to
   *  another
   */
  constructor(fingers, zoomTo) {
    this.fingers = fingers;
    this.zoomTo = zoomTo;
    this.last = twoFingers(fingers);
  }

  move() {
    if (this.fingers.size !== 2) return;
    const now = twoFingers(this.fingers);
    this.zoomTo(now.distance / Math.max(1, this.last.distance), this.last.middle, now.middle);
    this.last = now;
  }

  end() {}

  cancel() {}
}

/** @param {Map<number, Position>} fingers */
function twoFingers(fingers) {
  const [a, b] = [...fingers.values()];
  return { distance: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
}
