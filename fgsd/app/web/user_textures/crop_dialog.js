// The dialog in which a visitor chooses a part of an image: a square that is moved, scaled and turned.
import { find, make } from "../shared/dom.js";
import { corners, fitted, largestSide, sideAt, sliderOf, wholeBox } from "./crop_box.js";
import { shrink } from "./scale.js";

/** @typedef {import("./crop_box.js").CropBox} CropBox */

const SHOWN_SIDE = 480; // CSS pixels of the longer side of the image, if the window is large enough
const CORNER = 18; // CSS pixels around a corner, by which the square is scaled
const SAMPLE_SIDE = 64; // pixels of a sample
const STEP = 0.02; // of the image, by which an arrow key moves the square

export class CropDialog {
  /**
   * @param {HTMLElement} panel
   * @param {{ side: number, patch: number }} sizes shorter side of training images, and side of their crops,
   *  in pixels
   * @param {(canvas: HTMLCanvasElement) => void} onApply
   */
  constructor(panel, { side, patch }, onApply) {
    this.dialog = find(panel, ".crop-dialog", HTMLDialogElement);
    this.canvas = find(this.dialog, "canvas", HTMLCanvasElement);
    this.size = find(this.dialog, ".size", HTMLInputElement);
    this.angle = find(this.dialog, ".angle", HTMLInputElement);
    this.side = side;
    this.patch = patch;
    /** @type {ImageBitmap | null} */
    this.image = null;
    /** @type {CropBox} */
    this.box = wholeBox({ width: 1, height: 1 });
    this.scale = 1; // CSS pixels of a pixel of the image
    this.#listen(onApply);
  }

  /** @param {ImageBitmap} image which the dialog closes */
  open(image) {
    this.image?.close();
    this.image = image;
    const room = Math.min(SHOWN_SIDE, window.innerWidth - 64, window.innerHeight - 260);
    this.scale = room / Math.max(image.width, image.height);
    const density = window.devicePixelRatio || 1;
    const [width, height] = [image.width * this.scale, image.height * this.scale];
    Object.assign(this.canvas, { width: Math.round(width * density), height: Math.round(height * density) });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.#set(wholeBox(image));
    this.dialog.showModal();
    this.canvas.focus();
  }

  /** The part of the image in the square, upright. @returns {HTMLCanvasElement} */
  cut() {
    const { x, y, side, angle } = this.box;
    const pixels = Math.max(1, Math.round(side));
    const canvas = make("canvas", { width: pixels, height: pixels });
    const context = canvas.getContext("2d");
    if (!context || !this.image) throw new Error("there is no canvas");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff"; // behind transparent pixels
    context.fillRect(0, 0, pixels, pixels);
    context.translate(pixels / 2, pixels / 2);
    context.scale(pixels / side, pixels / side);
    context.rotate((-angle * Math.PI) / 180);
    context.drawImage(this.image, -x, -y);
    return shrink(canvas, this.side);
  }

  /** @param {Partial<CropBox>} change */
  #set(change) {
    if (!this.image) return;
    this.box = fitted({ ...this.box, ...change }, this.image, this.patch);
    this.size.value = String(sliderOf(this.box.side, this.patch, largestSide(this.image, this.box.angle)));
    this.angle.value = String(Math.round(this.box.angle));
    this.#draw();
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    if (!context || !this.image) return;
    const { width, height } = this.canvas;
    const scale = width / this.image.width;
    context.drawImage(this.image, 0, 0, width, height);
    context.fillStyle = "rgb(0 0 0 / 55%)";
    context.beginPath();
    context.rect(0, 0, width, height);
    this.#trace(context, this.box, scale);
    context.fill("evenodd");
    this.#outline(context, this.box, scale, []);
    // once it is scaled, the square is as large as a training image
    const inner = (this.box.side * SAMPLE_SIDE) / Math.max(SAMPLE_SIDE, Math.min(this.side, this.box.side));
    this.#outline(context, { ...this.box, side: inner }, scale, [6, 5]);
  }

  /** @param {CanvasRenderingContext2D} context @param {CropBox} box @param {number} scale */
  #trace(context, box, scale) {
    const [first, ...others] = corners(box);
    context.moveTo(first[0] * scale, first[1] * scale);
    for (const [x, y] of others) context.lineTo(x * scale, y * scale);
    context.closePath();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {CropBox} box
   * @param {number} scale
   * @param {number[]} dashes
   */
  #outline(context, box, scale, dashes) {
    for (const [style, width] of /** @type {const} */ ([
      ["#000", 4],
      ["#fff", 2],
    ])) {
      context.setLineDash(dashes);
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      this.#trace(context, box, scale);
      context.stroke();
    }
  }

  /** @param {(canvas: HTMLCanvasElement) => void} onApply */
  #listen(onApply) {
    const { dialog, canvas } = this;
    this.size.addEventListener("input", () => {
      if (!this.image) return;
      const largest = largestSide(this.image, this.box.angle);
      this.#set({ side: sideAt(Number(this.size.value), this.patch, largest) });
    });
    this.angle.addEventListener("input", () => this.#set({ angle: Number(this.angle.value) }));
    find(dialog, ".turn").addEventListener("click", () => this.#set({ angle: this.box.angle + 90 }));
    find(dialog, ".cancel").addEventListener("click", () => dialog.close());
    find(dialog, ".apply").addEventListener("click", () => {
      const part = this.cut();
      dialog.close();
      onApply(part);
    });
    dialog.addEventListener("close", () => {
      this.image?.close();
      this.image = null;
    });
    canvas.addEventListener("pointerdown", (event) => this.#drag(event));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#set({ side: this.box.side * 1.001 ** event.deltaY });
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#press(event));
  }

  /** @param {PointerEvent} event */
  #position(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - left) / this.scale, y: (event.clientY - top) / this.scale };
  }

  /** Move the square, or scale it by a corner. @param {PointerEvent} event */
  #drag(event) {
    const { canvas, box } = this;
    const start = this.#position(event);
    const distance = (/** @type {[number, number]} */ [x, y]) =>
      Math.hypot(x - start.x, y - start.y) * this.scale;
    const scales = corners(box).some((corner) => distance(corner) < CORNER);
    canvas.setPointerCapture(event.pointerId);
    const away = Math.hypot(start.x - box.x, start.y - box.y) || 1;
    const move = (/** @type {PointerEvent} */ moved) => {
      const { x, y } = this.#position(moved);
      if (scales) this.#set({ side: (box.side * Math.hypot(x - box.x, y - box.y)) / away });
      else this.#set({ x: box.x + x - start.x, y: box.y + y - start.y });
    };
    canvas.addEventListener("pointermove", move);
    const end = () => canvas.removeEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, end, { once: true });
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { x, y, side, angle } = this.box;
    const step = STEP * Math.max(this.image?.width ?? 0, this.image?.height ?? 0);
    /** @type {Record<string, Partial<CropBox>>} */
    const changes = {
      ArrowLeft: { x: x - step },
      ArrowRight: { x: x + step },
      ArrowUp: { y: y - step },
      ArrowDown: { y: y + step },
      "+": { side: side * 1.1 },
      "=": { side: side * 1.1 },
      "-": { side: side / 1.1 },
      r: { angle: angle + 90 },
      R: { angle: angle + 90 },
    };
    const change = changes[event.key];
    if (!change || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has shortcuts of the same keys
    this.#set(change);
  }
}
