// Paints a preview where it belongs: into the part of the finished pictures that it shows. What is around it
// fades from the picture before into mirror images of the preview, until the whole picture is there.
import { enlarge, lanczosTaps } from "../shared/lanczos.js";
import { canvasesOf, contextOf, targetSide, TILES } from "./canvases.js";

/** @typedef {import("../shared/run.js").Finished} Finished */

export const FADE = 4; // pixels of the preview along its edge, where the noise around it was not known
const COVER = 0.6; // opacity of what each preview lays around itself, over what is older

/**
 * Whether a frame is a preview of a part only.
 *
 * @param {import("../shared/run.js").Frame} frame
 */
export function isPart({ preview, finished, n, size }) {
  return Boolean(preview && finished && (finished.n !== n || finished.size !== size));
}

/**
 * The square that a preview covers, in pixels of its canvas.
 *
 * @param {Finished} finished
 * @param {number} side of the preview, in pixels
 * @param {number} extent pixels along a side of a finished picture on the canvas
 * @returns {{ at: number, side: number }}
 */
export function square({ size, corner }, side, extent) {
  const at = Math.round((corner * extent) / size);
  return { at, side: Math.round(((corner + side) * extent) / size) - at };
}

/**
 * How opaque a preview is, from 0 at its edge to 1.
 *
 * @param {number} x @param {number} y pixel of the square
 * @param {number} side of the square
 * @param {number} fade pixels along the edge over which it fades
 */
export function opacity(x, y, side, fade) {
  const inside = Math.min(x, y, side - 1 - x, side - 1 - y) + 0.5;
  return Math.min(1, inside / fade);
}

/**
 * A preview and its mirror images, which continue it in all directions.
 *
 * @param {OffscreenCanvas} preview
 */
function mirrored(preview) {
  const side = preview.width;
  const tile = new OffscreenCanvas(2 * side, 2 * side);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (tile.getContext("2d"));
  for (const x of [1, -1]) {
    for (const y of [1, -1]) {
      context.setTransform(x, 0, 0, y, x < 0 ? 2 * side : 0, y < 0 ? 2 * side : 0);
      context.drawImage(preview, 0, 0);
    }
  }
  return tile;
}

/**
 * Let a canvas fade into the mirror images of a preview. A canvas of another size shows them at once.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} extent pixels along a side of the picture on the canvas
 * @param {number} tiles copies of the picture along a side
 * @param {OffscreenCanvas} tile see `mirrored`
 * @param {{ at: number, side: number }} shown the square that the preview covers
 */
function surround(canvas, extent, tiles, tile, shown) {
  const context = contextOf(canvas);
  const width = extent * tiles;
  const fits = canvas.width === width;
  if (!fits) Object.assign(canvas, { width, height: width });
  const pattern = /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
  context.globalAlpha = fits ? COVER : 1;
  for (let copy = 0; copy < tiles ** 2; copy += 1) {
    const [x, y] = [copy % tiles, Math.floor(copy / tiles)].map((k) => k * extent);
    const scale = (2 * shown.side) / tile.width;
    pattern.setTransform(new DOMMatrix([scale, 0, 0, scale, x + shown.at, y + shown.at]));
    context.fillStyle = pattern;
    context.fillRect(x, y, extent, extent);
  }
  context.globalAlpha = 1;
}

/**
 * The preview of a picture that is the centre of it fades at its edge, which the next one covers in turn.
 *
 * @param {ImageData} pixels
 * @param {number} fade
 */
function faded(pixels, fade) {
  const side = pixels.width;
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) pixels.data[4 * (y * side + x) + 3] *= opacity(x, y, side, fade);
  }
  const canvas = new OffscreenCanvas(side, side);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * @param {HTMLElement} pane
 * @param {import("../shared/run.js").Frame} frame a preview of a part
 * @param {HTMLImageElement} sheet its one image
 * @param {boolean} tiled whether each picture is repeated
 */
export function paintPart(pane, { side, finished }, sheet, tiled) {
  const place = /** @type {Finished} */ (finished);
  const canvases = canvasesOf(pane, place.n, place.columns);
  const tiles = tiled ? TILES : 1;
  const extent = targetSide(canvases[0].clientWidth, window.devicePixelRatio, tiles);
  const preview = new OffscreenCanvas(side, side);
  const source = /** @type {OffscreenCanvasRenderingContext2D} */ (
    preview.getContext("2d", { willReadFrequently: true })
  );
  source.drawImage(sheet, 0, 0);
  const pixels = source.getImageData(0, 0, side, side);
  const shown = square(place, side, extent);
  const tile = mirrored(preview);
  for (const canvas of canvases) surround(canvas, extent, tiles, tile, shown);
  const larger = shown.side > side ? enlarge(pixels, shown.side, lanczosTaps(side, shown.side)) : pixels;
  const image = faded(larger, place.size > side ? (FADE * shown.side) / side : 0);
  for (let copy = 0; copy < tiles ** 2; copy += 1) {
    const [x, y] = [copy % tiles, Math.floor(copy / tiles)].map((k) => k * extent + shown.at);
    contextOf(canvases[0]).drawImage(image, x, y, shown.side, shown.side);
  }
}
