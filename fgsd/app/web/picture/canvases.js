// Paints the images of a sheet, one canvas each, so that enlarging an image never mixes in the edge of its
// neighbour.
import { enlarge, lanczosTaps } from "../shared/lanczos.js";

const MAX_SIDE = 2048; // pixels that an image is enlarged to at most
export const TILES = 3; // copies of a seamless image along a side

/**
 * Pixels along a side of one image, or of one tile of it, that fill a canvas of this width.
 *
 * @param {number} width of the canvas, in CSS pixels
 * @param {number} ratio device pixels for each CSS pixel
 * @param {number} tiles copies along a side
 * @returns {number}
 */
export function targetSide(width, ratio, tiles) {
  return Math.round(Math.min(MAX_SIDE, Math.round(width * ratio)) / tiles);
}

/**
 * The canvases of a pane; new ones if the number of images has changed.
 *
 * @param {HTMLElement} pane
 * @param {number} n
 * @param {number} columns
 * @returns {HTMLCanvasElement[]}
 */
export function canvasesOf(pane, n, columns) {
  if (pane.children.length !== n) {
    pane.replaceChildren(...Array.from({ length: n }, () => document.createElement("canvas")));
  }
  pane.style.setProperty("--columns", String(columns));
  return /** @type {HTMLCanvasElement[]} */ ([...pane.children]);
}

/**
 * The 2D context of a canvas; `willReadFrequently` is for canvases whose pixels are fetched.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Paint the images of a sheet into a pane.
 *
 * @param {HTMLElement} pane
 * @param {import("../shared/run.js").Frame} frame says how the images lie in the sheet
 * @param {HTMLImageElement} sheet
 * @param {boolean} tiled whether to repeat each image, if it is seamless
 */
export function paintSheet(pane, { n, columns, side, tileable }, sheet, tiled) {
  const source = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(sheet.width, sheet.height).getContext("2d", { willReadFrequently: true })
  );
  source.drawImage(sheet, 0, 0);
  const canvases = canvasesOf(pane, n, columns);
  const tiles = tiled && tileable ? TILES : 1;
  const out = targetSide(canvases[0].clientWidth, window.devicePixelRatio, tiles);
  const taps = out > side ? lanczosTaps(side, out, tiles > 1) : null;
  for (const [k, canvas] of canvases.entries()) {
    const pixels = source.getImageData((k % columns) * side, Math.floor(k / columns) * side, side, side);
    const image = taps ? enlarge(pixels, out, taps) : pixels;
    const extent = image.width * tiles;
    if (canvas.width !== extent) Object.assign(canvas, { width: extent, height: extent });
    for (let copy = 0; copy < tiles ** 2; copy += 1) {
      const [x, y] = [copy % tiles, Math.floor(copy / tiles)];
      contextOf(canvas).putImageData(image, x * image.width, y * image.width);
    }
  }
}
