// Scales an image of the visitor down to the size that the network was trained on, so that only a small PNG
// is sent.
import { make } from "../shared/dom.js";

// Of a canvas. Browsers of phones draw nothing on larger ones, without an error: iOS above 2 ** 24 pixels.
export const MAX_CANVAS_PIXELS = 2 ** 22;
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
 * The scale, at most 1, at which an image is decoded: it is to have few pixels, and a shorter side that is
 * large enough.
 *
 * @param {Size} image
 * @param {number} side pixels that its shorter side is scaled down to later
 * @returns {number}
 */
export function decodingScale({ width, height }, side) {
  const scale = Math.sqrt(MAX_CANVAS_PIXELS / (width * height));
  return Math.min(1, Math.max(scale, side / Math.min(width, height)));
}

/**
 * The size of an image on a canvas: its own, or the largest that a canvas may have.
 *
 * @param {Size} image
 * @returns {Size}
 */
export function canvasSize({ width, height }) {
  const scale = Math.min(1, Math.sqrt(MAX_CANVAS_PIXELS / (width * height)));
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/**
 * Size of an image in a file, upright. The image is not decoded.
 *
 * @param {Blob} file
 * @returns {Promise<Size>} rejects if the browser cannot read the file
 */
async function sizeOf(file) {
  const image = new Image();
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      Object.assign(image, { onload: resolve, onerror: reject, src: url });
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * Decode an image file. A large image is scaled while it is decoded, because phones have little memory.
 *
 * @param {Blob} file
 * @param {number} side pixels that the shorter side is to have at least, if the image has them
 * @returns {Promise<ImageBitmap>} rejects if the browser cannot read the file
 */
export async function decodeScaled(file, side) {
  const size = await sizeOf(file);
  const scale = decodingScale(size, side);
  if (!(scale < 1)) return createImageBitmap(file);
  // the height follows: browsers differ in whether these sizes are those of the upright image
  const resizeWidth = Math.round(scale * size.width);
  return createImageBitmap(file, { resizeWidth, resizeQuality: "high" });
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
 * Draw an image on a new canvas; throw if the browser has drawn nothing.
 *
 * @param {CanvasImageSource} image
 * @param {Size} size
 * @param {Rectangle} source the part of the image that is drawn
 */
function draw(image, { width, height }, source) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("there is no canvas");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(image, source.x, source.y, source.width, source.height, 0, 0, width, height);
  if (context.getImageData(0, 0, 1, 1).data[3] !== 255) throw new Error("the canvas is empty");
  return canvas;
}

/**
 * @param {ImageBitmap} image
 * @param {number} side pixels that the shorter side is scaled down to; a smaller image keeps its size
 * @returns {HTMLCanvasElement} throws if the browser draws nothing
 */
export function scaleDown(image, side) {
  const middle = crop(image);
  return shrink(draw(image, canvasSize(middle), middle), side);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} side pixels that its shorter side is scaled down to; a smaller canvas stays
 * @returns {HTMLCanvasElement}
 */
export function shrink(canvas, side) {
  for (const size of scaleSteps(canvas, side)) {
    canvas = draw(canvas, size, { x: 0, y: 0, width: canvas.width, height: canvas.height });
  }
  return canvas;
}
