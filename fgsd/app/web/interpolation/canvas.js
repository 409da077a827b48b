// Pictures on canvases.
import { enlarge, lanczosTaps } from "../shared/lanczos.js";

const MAX_SIDE = 1024; // pixels that a picture is enlarged to at most

/** @param {HTMLCanvasElement} canvas @returns {CanvasRenderingContext2D} */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/**
 * Change the size of a canvas, which clears it, only if it differs.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} [height]
 */
function resize(canvas, width, height = width) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

/** Side in device pixels that a canvas takes on the screen, at most. @param {HTMLCanvasElement} canvas */
const screenSide = (canvas) => Math.min(MAX_SIDE, Math.round(canvas.clientWidth * window.devicePixelRatio));

/**
 * Draw a picture in its own pixels, which the browser enlarges: for small canvases.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} [picture] none leaves the canvas as it is
 */
export function drawSmall(canvas, picture) {
  if (!picture) return;
  resize(canvas, picture.width, picture.height);
  contextOf(canvas).drawImage(picture, 0, 0);
}

/**
 * Draw a picture, enlarged by a Lanczos filter: crisper, but slower.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} [picture] none leaves the canvas as it is
 */
export function drawLarge(canvas, picture) {
  if (!picture) return;
  const [side, out] = [picture.width, screenSide(canvas)];
  if (out <= side) return void drawSmall(canvas, picture);
  const source = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true })
  );
  source.drawImage(picture, 0, 0);
  resize(canvas, out);
  contextOf(canvas).putImageData(
    enlarge(source.getImageData(0, 0, side, side), out, lanczosTaps(side, out)),
    0,
    0,
  );
}

/**
 * Draw a picture, enlarged smoothly by the browser: fast enough for animation.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} [picture] none leaves the canvas as it is
 */
export function drawAnimated(canvas, picture) {
  const out = screenSide(canvas);
  resize(canvas, out);
  const context = contextOf(canvas);
  context.imageSmoothingQuality = "high";
  if (picture) context.drawImage(picture, 0, 0, out, out);
}
