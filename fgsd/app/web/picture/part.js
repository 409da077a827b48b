// Paints a preview where it belongs: into the part of the finished pictures that it shows. What is around it
// fades from the picture before into the preview's mean colour, until the whole picture is there.
import { enlarge, lanczosTaps } from "../shared/lanczos.js";
import { canvasesOf, contextOf, targetSide, TILES } from "./canvases.js";

/** @typedef {import("../shared/run.js").Finished} Finished */

export const FADE = 4; // pixels of the preview along its edge, where the noise around it was not known
const TINT = 0.6; // of the preview's mean colour, which each preview lays over what is older

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
 * The mean colour of an image, for CSS.
 *
 * @param {ImageData} image
 */
export function meanColour({ data }) {
  const sums = [0, 0, 0];
  for (let k = 0; k < data.length; k += 1) if (k % 4 < 3) sums[k % 4] += data[k];
  return `rgb(${sums.map((sum) => Math.round((4 * sum) / data.length)).join(" ")})`;
}

/**
 * Let a canvas fade into a colour. One of another size shows it at once.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width and height
 * @param {string} colour
 */
function fadeInto(canvas, width, colour) {
  const context = contextOf(canvas);
  const fits = canvas.width === width;
  if (!fits) Object.assign(canvas, { width, height: width });
  context.fillStyle = colour;
  context.globalAlpha = fits ? TINT : 1;
  context.fillRect(0, 0, width, width);
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
  const source = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true })
  );
  source.drawImage(sheet, 0, 0);
  const pixels = source.getImageData(0, 0, side, side);
  for (const canvas of canvases) fadeInto(canvas, extent * tiles, meanColour(pixels));
  const shown = square(place, side, extent);
  const larger = shown.side > side ? enlarge(pixels, shown.side, lanczosTaps(side, shown.side)) : pixels;
  const image = faded(larger, place.size > side ? (FADE * shown.side) / side : 0);
  for (let copy = 0; copy < tiles ** 2; copy += 1) {
    const [x, y] = [copy % tiles, Math.floor(copy / tiles)].map((k) => k * extent + shown.at);
    contextOf(canvases[0]).drawImage(image, x, y, shown.side, shown.side);
  }
}
