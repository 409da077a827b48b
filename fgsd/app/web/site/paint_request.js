// What a painting is asked for with, checked as by `parse_paint` of Python's `fgsd.app.requests.paint` and by
// `fgsd.app.serving.painting`: a plan that was opened may hold anything.
import { unpacked } from "./files.js";
import { RequestError, number, oneOf, partsOf, shorten, whole } from "./request.js";

/** @typedef {import("./centroids.js").Part} Part */

/**
 * The query of the paint panel.
 *
 * @typedef {Object} PaintQuery
 * @property {string} plan base64 of a byte for each pixel, deflated: the number of its region
 * @property {number} width side in pixels
 * @property {unknown[]} targets of the regions
 * @property {string[]} colours of the regions in a plan that is saved
 * @property {number} feather standard deviation of the soft edge, in pixels
 * @property {number} seed
 * @property {boolean} tileable
 * @property {number} number of the query
 */

/**
 * @typedef {Object} PaintRequest
 * @property {Uint8Array} plan number of its region for each pixel
 * @property {number} size side in pixels
 * @property {number[]} numbers of the regions that occur in the plan
 * @property {Part[][]} targets of these, in their order
 * @property {number} feather
 * @property {number} seed
 * @property {boolean} tileable
 */

/** @typedef {import("./request.js").Bounds & { paint: { maxRegions: number, maxFeather: number } }}
 *  PaintBounds */

/**
 * @param {PaintQuery} query
 * @param {PaintBounds} bounds
 * @returns {Promise<PaintRequest>}
 * @throws {RequestError} if a value is out of range; its message says what would be right
 */
export async function parsePainting(query, bounds) {
  const { maxRegions, maxFeather } = bounds.paint;
  const { targets } = query;
  if (!Array.isArray(targets) || !targets.length || targets.length > maxRegions) {
    throw new RequestError(`Paint with 1 to ${maxRegions} textures.`);
  }
  const size = oneOf(query.width, "Size", bounds.sizes);
  const plan = await unpacked(query.plan);
  if (plan.length !== size ** 2) {
    throw new RequestError(`A plan of ${plan.length} pixels is no square of ${size}.`);
  }
  const numbers = [...new Set(plan)].sort((one, other) => one - other);
  const unknown = numbers.find((one) => one >= targets.length);
  if (unknown !== undefined) {
    throw new RequestError(`The plan names texture ${unknown + 1}, but ${targets.length} came.`);
  }
  return {
    ...{ plan, size, numbers },
    targets: numbers.map((one) => partsOf(targets[one], bounds).filter(({ weight }) => weight > 0)),
    feather: number(query.feather, "Soft edge", 0, maxFeather),
    seed: whole(query.seed, "Seed", 0, bounds.maxSeed),
    tileable: Boolean(query.tileable),
  };
}

/** @param {unknown} colour @returns {number[]} three, in [-1, 1] */
export function colourOf(colour) {
  if (typeof colour !== "string" || !/^#[0-9a-f]{6}$/i.test(colour)) {
    throw new RequestError(`A colour is # and six hexadecimal digits; ${shorten(colour)} came.`);
  }
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255].map((channel) => channel / 127.5 - 1);
}
