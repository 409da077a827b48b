// Draws thumbnails, dots and names on the upper canvas while the map is in motion, as map.css shows them.
import { addressIn, shortenAtlas } from "./atlas.js";
import { fitCanvas } from "./canvas.js";
import { entryOf } from "./target.js";

/** @typedef {import("./view.js").Position} Position */

const CORNER = 4; // pixels, and what follows
const DOT = 4.5;
const CHOSEN = 1.3; // times as large as the others
const RING = { gap: 2.6, width: 3.9 };
const FAINT = 0.12; // opacity
const NAME = { font: "10px system-ui, sans-serif", width: 84, top: 10 };

export class MotionPainter {
  /** @type {HTMLImageElement} all thumbnails, row by row */
  #atlas = new Image();
  /** @type {ImageBitmap | null} the same as large as they are shown, with round corners */
  #sprites = null;
  #spriteSide = 0;
  /** @type {Map<string, string>} names as they are shown */
  #texts = new Map();
  /** @type {Map<string, HTMLImageElement>} by address */
  #images = new Map();

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {CanvasRenderingContext2D} over
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, thumbnails, over, theme) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.over = over;
    this.theme = theme;
    const style = getComputedStyle(panel.section);
    this.columns = Number(style.getPropertyValue("--columns"));
    this.rows = Number(style.getPropertyValue("--rows"));
    this.indices = new Map(panel.data.classes.map((name, k) => [name, k]));
    void shortenAtlas(panel.section)
      .then((image) => (this.#atlas = image))
      .catch(() => null); // the buttons show it as it is
    panel.on("paint", () => thumbnails.motion.isRunning && this.#paint());
  }

  #paint() {
    const { over: context, panel, thumbnails } = this;
    const { view, data, target } = panel;
    const { width, height } = view.size;
    const side = data.side * width;
    const ratio = fitCanvas(context.canvas, view.size);
    this.#resize(Math.max(1, Math.round(side * ratio)));
    context.save();
    const inSight = [...thumbnails.buttons.keys()]
      .map((name) => ({ name, ...view.toPixel(thumbnails.centre(name)) }))
      .filter(({ x, y }) => x > -side && y > -side && x < width + side && y < height + side);
    for (const { name, x, y } of inSight) {
      if (thumbnails.shown.has(name)) continue;
      const at = 3 * (this.indices.get(name) ?? 0);
      context.globalAlpha = this.#opacity(name);
      context.fillStyle = `rgb(${data.colours.subarray(at, at + 3).join()})`;
      context.beginPath();
      context.arc(x, y, DOT, 0, 2 * Math.PI);
      context.fill();
    }
    const shown = inSight.filter(({ name }) => thumbnails.shown.has(name));
    for (const { name, x, y } of shown) {
      context.globalAlpha = this.#opacity(name);
      if (entryOf(target, name)) this.#drawChosen(name, x, y, CHOSEN * side);
      else this.#draw(name, x - side / 2, y - side / 2, side);
    }
    this.#paintNames(
      shown.filter(({ name }) => thumbnails.named.has(name)),
      side,
    );
    context.restore();
  }

  /** @param {string} name */
  #opacity(name) {
    return this.thumbnails.buttons.get(name)?.matches('.faint:not([aria-pressed="true"])') ? FAINT : 1;
  }

  /** @param {string} name @param {number} x @param {number} y @param {number} side */
  #drawChosen(name, x, y, side) {
    const { over: context } = this;
    const { raised, accent } = this.theme();
    const frame = (/** @type {number} */ margin, /** @type {string} */ colour) => {
      const [start, extent] = [side / 2 + margin, side + 2 * margin];
      context.fillStyle = colour;
      context.beginPath();
      context.roundRect(x - start, y - start, extent, extent, CORNER + margin);
      context.fill();
    };
    frame(RING.gap + RING.width, accent);
    frame(RING.gap, raised);
    this.#draw(name, x - side / 2, y - side / 2, side);
  }

  /** @param {string} name @param {number} left @param {number} top @param {number} side */
  #draw(name, left, top, side) {
    const { over: context } = this;
    const index = this.indices.get(name);
    if (index !== undefined && this.#sprites) {
      const [row, column] = [Math.floor(index / this.columns), index % this.columns];
      const from = this.#spriteSide;
      context.drawImage(this.#sprites, column * from, row * from, from, from, left, top, side, side);
      return;
    }
    const image = this.#imageOf(name);
    if (image?.complete && image.naturalWidth) context.drawImage(image, left, top, side, side);
  }

  /** The image of a user texture. @param {string} name */
  #imageOf(name) {
    const button = this.thumbnails.buttons.get(name);
    const address = addressIn(button?.style.getPropertyValue("--src") ?? "");
    if (!address) return null;
    const known = this.#images.get(address);
    if (known) return known;
    const image = Object.assign(new Image(), { src: address });
    this.#images.set(address, image);
    return image;
  }

  /** @param {{ name: string, x: number, y: number }[]} named @param {number} side */
  #paintNames(named, side) {
    const { over: context } = this;
    const { ink, raised } = this.theme();
    context.font = NAME.font;
    context.textAlign = "center";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = raised;
    context.fillStyle = ink;
    for (const { name, x, y } of named) {
      context.globalAlpha = this.#opacity(name);
      const at = y + side / 2 + NAME.top;
      const text = this.#shortened(name);
      context.strokeText(text, x, at);
      context.fillText(text, x, at);
    }
  }

  /** A name with as many of its letters as there is room for. @param {string} name */
  #shortened(name) {
    let text = this.#texts.get(name);
    if (text !== undefined) return text;
    text = name;
    for (let end = name.length; this.over.measureText(text).width > NAME.width && end > 0; end -= 1)
      text = `${name.slice(0, end)}…`;
    this.#texts.set(name, text);
    return text;
  }

  /** Scale all thumbnails to this side, in device pixels, once. @param {number} side */
  #resize(side) {
    if (side === this.#spriteSide || !this.#atlas.complete || !this.#atlas.naturalWidth) return;
    this.#spriteSide = side;
    const [width, height] = [this.columns * side, this.rows * side];
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.beginPath();
    for (let top = 0; top < height; top += side) {
      for (let left = 0; left < width; left += side)
        context.roundRect(left, top, side, side, (CORNER * side) / 34);
    }
    context.clip();
    context.drawImage(this.#atlas, 0, 0, width, height);
    this.#sprites = canvas.transferToImageBitmap(); // a canvas would be drawn anew in each frame
  }
}
