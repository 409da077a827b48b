// A frame of the interpolation panel: what arrives from the server, and the pictures decoded from it.
import { decodeImage } from "../shared/dom.js";

/**
 * Some of the pictures, side by side in one image.
 *
 * @typedef {Object} Sheet
 * @property {string} src data URI
 * @property {number} columns
 * @property {number} side of a picture, in pixels
 * @property {number[][]} places the positions that each picture of the sheet takes
 */

/**
 * One step of an interpolation, as the server sends it; see `fgsd.app.render.interpolations`.
 *
 * @typedef {Object} SentFrame
 * @property {"strip" | "grid" | "loop" | "coarse-fine"} mode
 * @property {number} count positions
 * @property {Sheet[]} sheets
 * @property {Record<string, number>[]} weights of each position
 * @property {string[]} ends the textures that it leads through; the corners of a grid
 * @property {import("../shared/events.js").TargetEntry[]} chosen the target
 * @property {number[]} fitting numbers of pictures that a strip can have
 * @property {number} seconds that a loop shows a picture
 * @property {Record<string, string>} files data URIs of the finished pictures, by file type
 * @property {string} name for files
 * @property {string} label the textures, in words
 * @property {number} index of the step, from 1
 * @property {number} steps
 * @property {boolean} last
 * @property {number} size of a picture, in pixels
 * @property {number} ms time of a step
 * @property {string} device
 * @property {boolean} [preview] the frame follows the slider
 */

/** @typedef {SentFrame & { pictures: (ImageBitmap | undefined)[] }} Frame `pictures` by position */

/** @typedef {Map<string, ImageBitmap[]>} Cells the pictures of each sheet, by its data URI */

/**
 * Where the pictures of a sheet are in it.
 *
 * @param {Sheet} sheet
 * @returns {[number, number][]} left and top of each, in pixels
 */
export function cellCorners({ columns, side, places }) {
  return places.map((_, k) => [(k % columns) * side, Math.floor(k / columns) * side]);
}

/**
 * The pictures of all sheets, by position.
 *
 * @template T
 * @param {Sheet[]} sheets
 * @param {Map<string, T[]>} cells
 * @returns {(T | undefined)[]}
 */
export function byPosition(sheets, cells) {
  /** @type {(T | undefined)[]} */
  const pictures = [];
  for (const { src, places } of sheets) {
    for (const [k, positions] of places.entries()) {
      for (const position of positions) pictures[position] = cells.get(src)?.[k];
    }
  }
  return pictures;
}

/** @param {Sheet} sheet @returns {Promise<ImageBitmap[]>} */
async function decodeSheet(sheet) {
  const image = await decodeImage(sheet.src);
  const { side } = sheet;
  return Promise.all(cellCorners(sheet).map(([x, y]) => createImageBitmap(image, x, y, side, side)));
}

/**
 * Decode the sheets of a frame. Those of a loop arrive again with each frame: they are decoded once.
 *
 * @param {Sheet[]} sheets
 * @param {Cells} known of the frame before
 * @returns {Promise<Cells>} of this frame
 */
export async function decodeSheets(sheets, known) {
  /** @type {Cells} */
  const cells = new Map();
  for (const sheet of sheets) cells.set(sheet.src, known.get(sheet.src) ?? (await decodeSheet(sheet)));
  return cells;
}

/**
 * The words above the pictures.
 *
 * @param {Pick<SentFrame, "mode" | "ends" | "chosen">} frame
 * @returns {string}
 */
export function headline({ mode, ends, chosen }) {
  if (mode === "strip") return ends.join(" → ");
  if (mode === "loop") return [...ends, ends[0]].join(" → ");
  if (mode === "coarse-fine") return "Structure of one texture, detail of another";
  return `${chosen.length > 4 ? "The first four textures. " : ""}Click a picture to take its mixture.`;
}
