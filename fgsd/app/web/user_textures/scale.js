// Scales an image of the visitor down to the size that the network was trained on, so that only a small PNG
// is sent.
import { make } from "../shared/dom.js";

const MAX_ASPECT = 2; // longer side over shorter side: the middle of a panorama shows its texture well enough

/** @typedef {{ x: number, y: number, width: number, height: number }} Rectangle in pixels */
/** @typedef {{ width: number, height: number }} Size in pixels */

/**
 * The middle of an image, as much of it as is used.
 *
 * @param {Size} image
 * @returns {Rectangle}
 */
export function crop(image) {
  const longest = MAX_ASPECT * Math.min(image.width, image.height);
  const [width, height] = [Math.min(image.width, longest), Math.min(image.height, longest)];
  return { x: (image.width - width) / 2, y: (image.height - height) / 2, width, height };
}

/**
 * The sizes that an image is scaled to, one after the other: halved until one smooth step is left, because
 * browsers differ in how well they scale a large image down at once.
 *
 * @param {Size} size
 * @param {number} side pixels that the shorter side is scaled down to
 * @returns {Size[]}
 */
export function scaleSteps(size, side) {
  const steps = [];
  let { width, height } = size;
  while (Math.min(width, height) >= 4 * side) {
    [width, height] = [Math.round(width / 2), Math.round(height / 2)];
    steps.push({ width, height });
  }
  const scale = side / Math.min(width, height);
  if (scale < 1) steps.push({ width: Math.round(width * scale), height: Math.round(height * scale) });
  return steps;
}

/**
 * @param {CanvasImageSource} image
 * @param {Size} size
 * @param {Rectangle} source the part of the image that is drawn
 */
function draw(image, { width, height }, source) {
  const canvas = make("canvas", { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(image, source.x, source.y, source.width, source.height, 0, 0, width, height);
  return canvas;
}

/**
 * @param {ImageBitmap} image
 * @param {number} side pixels that the shorter side is scaled down to; a smaller image keeps its size
 * @returns {HTMLCanvasElement}
 */
export function scaleDown(image, side) {
  const middle = crop(image);
  let canvas = draw(image, middle, middle);
  for (const size of scaleSteps(canvas, side)) {
    canvas = draw(canvas, size, { x: 0, y: 0, width: canvas.width, height: canvas.height });
  }
  return canvas;
}
