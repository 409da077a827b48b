// Images as the page's panels take them: a sheet without gaps, as a data URI of a PNG.

const CHUNK = 0x8000; // bytes that are turned into text at once

/** Columns of a roughly square sheet. @param {number} count */
export const columnsOf = (count) => Math.ceil(Math.sqrt(count));

/**
 * Pixels of an image in [-1, 1], as Python's `to_images` rounds them.
 *
 * @param {Float32Array} image (3, size, size)
 * @param {number} size
 * @returns {Uint8ClampedArray<ArrayBuffer>} (size, size, 4)
 */
export function pixelsOf(image, size) {
  const area = size * size;
  const pixels = new Uint8ClampedArray(4 * area).fill(255);
  for (let k = 0; k < 3 * area; k += 1) {
    pixels[4 * (k % area) + Math.floor(k / area)] = Math.fround(127.5 * Math.fround(image[k] + 1));
  }
  return pixels;
}

/**
 * The greatest difference between two images; infinite if their sizes differ.
 *
 * @param {{ width: number, height: number, data: ArrayLike<number> }} one
 * @param {{ width: number, height: number, data: ArrayLike<number> }} other
 */
export function difference(one, other) {
  if (one.width !== other.width || one.height !== other.height) return Infinity;
  let greatest = 0;
  for (let k = 0; k < one.data.length; k += 1) {
    greatest = Math.max(greatest, Math.abs(one.data[k] - other.data[k]));
  }
  return greatest;
}

/**
 * @param {Float32Array[]} images (3, size, size) each
 * @param {number} size
 * @returns {Promise<string>} data URI of their sheet
 */
export async function sheetUri(images, size) {
  const columns = columnsOf(images.length);
  const canvas = new OffscreenCanvas(columns * size, Math.ceil(images.length / columns) * size);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  for (const [k, image] of images.entries()) {
    const [x, y] = [(k % columns) * size, Math.floor(k / columns) * size];
    context.putImageData(new ImageData(pixelsOf(image, size), size, size), x, y);
  }
  const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
  let text = "";
  for (let k = 0; k < bytes.length; k += CHUNK) text += String.fromCharCode(...bytes.subarray(k, k + CHUNK));
  return `data:image/png;base64,${btoa(text)}`;
}
