// The canvas over the picture: pointer and keys move the brush, or draw the line of a gradient. During a
// stroke the canvas shows what the picture does not show yet.

/** @typedef {import("./plan.js").Position} Position */

/**
 * What the canvas asks of the panel. A stroke is a line of the brush, or a gradient.
 *
 * @typedef {Object} Painter
 * @property {() => number} side of the plan, in pixels
 * @property {() => number} diameter of the brush, in pixels of the plan
 * @property {() => boolean} isGradient whether a stroke is a gradient
 * @property {(at: Position) => boolean} begin begins a stroke, if it may
 * @property {(from: Position, to: Position) => void} stroke paints a line; of a gradient, from its start
 * @property {() => void} end ends a stroke
 * @property {(at: Position) => void} pick gives the brush the texture at a position
 * @property {() => ImageData | null} changes what the picture does not show yet
 */

const KEY_STEP = 4; // pixels of the plan by which an arrow key moves the brush
const MIN_PIXELS = 512; // of a side of the canvas
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Easel {
  /** @param {HTMLCanvasElement} canvas @param {Painter} painter */
  constructor(canvas, painter) {
    this.canvas = canvas;
    this.painter = painter;
    /** @type {Position} */
    this.cursor = { x: painter.side() / 2, y: painter.side() / 2 };
    this.start = this.cursor; // of the stroke
    this.painting = false; // a stroke is under way
    this.hovering = false; // the pointer is over the picture
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => this.#end());
    canvas.addEventListener("pointerleave", () => {
      this.hovering = false;
      this.draw();
    });
    for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.draw());
  }

  /** @param {PointerEvent} event @returns {Position} */
  #position(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const side = this.painter.side();
    return { x: ((event.clientX - left) / width) * side, y: ((event.clientY - top) / height) * side };
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = this.#position(event);
    if (event.altKey) this.painter.pick(this.cursor);
    else this.#begin();
  }

  #begin() {
    this.start = this.cursor;
    this.painting = this.painter.begin(this.start);
    if (this.painting && !this.painter.isGradient()) this.painter.stroke(this.start, this.cursor);
    this.draw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    this.hovering = true;
    this.#moveTo(this.#position(event), event.buttons > 0);
  }

  /** @param {Position} position @param {boolean} pressed */
  #moveTo(position, pressed) {
    const from = this.painter.isGradient() ? this.start : this.cursor;
    this.cursor = position;
    // a gradient by keys is under way without a button
    if (this.painting && (pressed || this.painter.isGradient())) this.painter.stroke(from, position);
    this.draw();
  }

  #end() {
    if (!this.painting) return;
    this.painting = false;
    this.painter.end();
    this.draw();
  }

  /**
   * A key that moves the brush or paints: Space paints a disc, or begins and ends a gradient.
   *
   * @param {string} key
   * @returns {boolean} whether it is one
   */
  press(key) {
    const arrow = ARROWS[key];
    if (arrow) {
      const inside = (/** @type {number} */ v) => Math.min(this.painter.side(), Math.max(0, v));
      const { x, y } = this.cursor;
      const to = { x: inside(x + KEY_STEP * arrow[0]), y: inside(y + KEY_STEP * arrow[1]) };
      this.#moveTo(to, false);
    } else if (key !== " " && key !== "Enter") return false;
    else if (this.painting) this.#end();
    else {
      this.#begin();
      if (!this.painter.isGradient()) this.#end();
    }
    return true;
  }

  /** Pixels of the canvas for one of the plan. */
  get scale() {
    return Math.max(1, MIN_PIXELS / this.painter.side());
  }

  draw() {
    const { canvas, painter } = this;
    const pixels = painter.side() * this.scale;
    if (canvas.width !== pixels) Object.assign(canvas, { width: pixels, height: pixels });
    const context = canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, pixels, pixels);
    const changes = this.painting ? painter.changes() : null;
    if (changes) {
      const layer = new OffscreenCanvas(changes.width, changes.height);
      layer.getContext("2d")?.putImageData(changes, 0, 0);
      context.drawImage(layer, 0, 0, pixels, pixels);
    }
    if (!this.painting && !this.hovering && !canvas.matches(":focus-visible")) return;
    const path = painter.isGradient() ? this.#line() : this.#disc();
    for (const [style, width] of /** @type {const} */ ([
      ["#000", 5],
      ["#fff", 2.5],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = (width * pixels) / MIN_PIXELS;
      context.stroke(path);
    }
  }

  #disc() {
    const { cursor, scale, painter } = this;
    const path = new Path2D();
    path.arc(cursor.x * scale, cursor.y * scale, (painter.diameter() / 2) * scale, 0, 7);
    return path;
  }

  /** From the start of a gradient to the pointer. */
  #line() {
    const path = new Path2D();
    const { scale } = this;
    const radius = (scale * this.painter.side()) / 40;
    const ends = this.painting ? [this.start, this.cursor] : [this.cursor];
    for (const { x, y } of ends) {
      path.moveTo(x * scale + radius, y * scale);
      path.arc(x * scale, y * scale, radius, 0, 7);
    }
    path.moveTo(ends[0].x * scale, ends[0].y * scale);
    path.lineTo(this.cursor.x * scale, this.cursor.y * scale);
    return path;
  }
}
