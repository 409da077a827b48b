// Paints the lower canvas: crops, and lines from thumbnails to their classes. Crops are written into the
// pixels of an image, so that 100,000 of them move smoothly. plotly is no alternative: its scattergl cannot
// animate moves, leaks WebGL contexts, and is 4.5 MB.
import { fitCanvas, strokeLines } from "./canvas.js";

const MAX_LARGE = 20_000; // crops that are drawn as points of three pixels; more of them as two
const EDGE = 7; // device pixels at the edge that are left out: more than half of the largest point

export class CropPainter {
  /** @type {ImageData | null} */
  #image = null;
  #pixels = new Uint32Array(0); // the image's pixels, a number each

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./crops.js").Crops} crops
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {CanvasRenderingContext2D} context
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, crops, thumbnails, context, theme) {
    this.panel = panel;
    this.crops = crops;
    this.thumbnails = thumbnails;
    this.context = context;
    panel.on("paint", () => this.#paint(theme().quiet));
  }

  /** @param {string} lineColour */
  #paint(lineColour) {
    const { context } = this;
    const ratio = fitCanvas(context.canvas, this.panel.view.size);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (!this.panel.view.isMap) return;
    if (this.crops.isReady) this.#paintCrops(ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#paintLines(lineColour);
  }

  /** @param {number} ratio */
  #paintCrops(ratio) {
    const { width, height } = this.context.canvas;
    if (this.#image?.width !== width || this.#image.height !== height) {
      this.#image = this.context.createImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    this.#pixels.fill(0);
    const { highlighted } = this.crops;
    const { data, families, target } = this.panel;
    const names = highlighted === null ? target.map(({ name }) => name) : [highlighted];
    const some = (/** @type {(name: string) => boolean} */ is) =>
      Uint8Array.from(data.classes, (name) => +is(name));
    const opacity = highlighted === null ? 0.5 : 0.25;
    this.#scatter(null, families.isFiltering ? 0.1 : opacity, ratio);
    if (families.isFiltering)
      this.#scatter(
        some((name) => families.includes(name)),
        opacity,
        ratio,
      );
    this.#scatter(
      some((name) => names.includes(name)),
      1,
      ratio,
    );
    this.context.putImageData(this.#image, 0, 0);
  }

  /**
   * @param {Uint8Array | null} chosen whether crops of a class are drawn; null: all
   * @param {number} opacity
   * @param {number} ratio
   */
  #scatter(chosen, opacity, ratio) {
    const { width, height } = this.context.canvas;
    const { size, transform } = this.panel.view;
    const { positions, labels, colours, count } = this.crops;
    if (!positions || !labels) return;
    const stamp = pointStamp(
      Math.round((count > MAX_LARGE ? 2 : 3) * ratio * Math.min(2, transform.zoom ** 0.4)),
    );
    const offsets = Int32Array.from(stamp, ({ x, y }) => y * width + x);
    const alphas = Uint32Array.from(stamp, (part) => (Math.round(255 * opacity * part.opacity) << 24) >>> 0);
    const pixels = this.#pixels;
    const [scaleX, scaleY] = [transform.zoom * size.width * ratio, transform.zoom * size.height * ratio];
    const [left, top] = [transform.x * ratio, transform.y * ratio];
    for (let k = 0; k < count; k += 1) {
      if (chosen && !chosen[labels[k]]) continue;
      const x = Math.round(positions[2 * k] * scaleX + left);
      const y = Math.round(positions[2 * k + 1] * scaleY + top);
      if (x < EDGE || y < EDGE || x >= width - EDGE || y >= height - EDGE) continue;
      const middle = y * width + x;
      for (let p = 0; p < offsets.length; p += 1) {
        const at = middle + offsets[p];
        if (pixels[at] >>> 24 <= alphas[p] >>> 24) pixels[at] = colours[k] | alphas[p];
      }
    }
  }

  /** @param {string} colour */
  #paintLines(colour) {
    const { context, thumbnails } = this;
    const { view } = this.panel;
    context.strokeStyle = context.fillStyle = colour;
    context.globalAlpha = 0.35;
    context.lineWidth = 1;
    /** @type {[import("./view.js").Position, import("./view.js").Position][]} */
    const lines = [...thumbnails.placements].map(([name, { x, y, classX, classY }]) => {
      const centre = thumbnails.centre(name);
      return [view.toPixel(centre), view.toPixel({ x: classX + centre.x - x, y: classY + centre.y - y })];
    });
    strokeLines(context, lines);
    context.globalAlpha = 1;
    for (const [, { x, y }] of lines) {
      context.beginPath();
      context.arc(x, y, 1.6, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/**
 * The pixels of a point: offsets from its middle and opacities, with fainter corners so that it looks round.
 * The faintest come first.
 *
 * @param {number} side in pixels
 */
export function pointStamp(side) {
  const middle = (side - 1) / 2;
  const parts = [];
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const corner = side > 2 && Math.hypot(x - middle, y - middle) > side / 2 - 0.2;
      parts.push({ x: x - Math.floor(middle), y: y - Math.floor(middle), opacity: corner ? 0.4 : 1 });
    }
  }
  return parts.sort((a, b) => a.opacity - b.opacity);
}
