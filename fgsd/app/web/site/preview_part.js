// The part of the finished pictures that a preview shows: as `PreviewPart` of Python's
// `fgsd.app.serving.picture_sizes`.
import { columnsOf } from "./pictures.js";

// seconds: of what follows a drag, at least of the smallest size; of a whole picture where the hand rests
const [MAX_PREVIEW_S, MAX_WHOLE_S] = [0.1, 0.6];

/**
 * @param {{ n: number, size: number }} request of the finished pictures
 * @param {Object} device
 * @param {number} device.steps of the preview
 * @param {number} device.secondsPerPixel of an evaluation of the network
 * @param {number[]} device.sizes sides that are offered
 * @param {number} device.multiple sides and corners are multiples of it
 * @param {boolean} whole whether the hand rests
 * @returns {{ n: number, size: number, finished: import("../shared/run.js").Finished } | null} null if whole
 *  pictures were asked for, and take longer
 */
export function previewPart({ n, size }, { steps, secondsPerPixel, sizes, multiple }, whole) {
  const pixels = (whole ? MAX_WHOLE_S : MAX_PREVIEW_S) / (steps * secondsPerPixel);
  const part = (/** @type {number} */ count, /** @type {number} */ side) => {
    const corner = Math.floor(Math.floor((size - side) / 2) / multiple) * multiple;
    return { n: count, size: side, finished: { n, columns: columnsOf(n), size, corner } };
  };
  if (n * size ** 2 <= pixels) return part(n, size);
  if (whole) return null;
  const smaller = sizes.filter((side) => side < size);
  const fitting = [...smaller, size].filter((side) => side ** 2 <= pixels);
  return part(1, fitting.at(-1) ?? smaller[0] ?? size);
}
