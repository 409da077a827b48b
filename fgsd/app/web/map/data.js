// The map's data, which Python's `panel_html` writes into the markup.

/** @typedef {import("./view.js").Placement} Placement */

/**
 * @typedef {Object} MapData
 * @property {string[]} projections "pca", "umap"
 * @property {number[]} sigmas noise levels, in increasing order
 * @property {string[]} classes
 * @property {Record<string, Float32Array>} tables by projection: (levels, classes, 4) of x, y of the
 *  thumbnail and x, y of the class
 * @property {number} side of a thumbnail on the map, as a share of its width
 * @property {[number, number]} range positions that the 16-bit numbers 0 and 65535 stand for
 * @property {Uint8Array} colours mean colour of each class: (classes, 3)
 * @property {number} cropCount training crops on the map
 * @property {number} maxClasses that a target may have
 * @property {number} maxMove of a texture, in widths and heights of the map
 * @property {number} startLevel index of the noise level that is shown first
 */

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decodeBytes(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < bytes.length; k += 1) bytes[k] = text.charCodeAt(k);
  return bytes;
}

/**
 * @param {string} base64 little-endian 16-bit numbers
 * @returns {Uint16Array}
 */
export function decodeShorts(base64) {
  return new Uint16Array(decodeBytes(base64).buffer);
}

/**
 * Decode positions on the map, which Python's `packed` has encoded.
 *
 * @param {string} base64
 * @param {[number, number]} range
 * @returns {Float32Array}
 */
export function decodePositions(base64, [low, high]) {
  return Float32Array.from(decodeShorts(base64), (value) => low + (value / 65535) * (high - low));
}

/**
 * @param {DOMStringMap} dataset of the map's section
 * @param {string[]} classes
 * @returns {MapData}
 */
export function readMapData(dataset, classes) {
  const text = (/** @type {string} */ key) => dataset[key] ?? "";
  const projections = text("projections").split(",");
  const [low, high] = text("range").split(",").map(Number);
  return {
    projections,
    classes,
    sigmas: text("sigmas").split(",").map(Number),
    tables: Object.fromEntries(projections.map((name) => [name, decodePositions(text(name), [low, high])])),
    side: Number(text("side")),
    range: [low, high],
    colours: decodeBytes(text("colours")),
    cropCount: Number(text("crops")),
    maxClasses: Number(text("maxClasses")),
    maxMove: Number(text("maxMove")),
    startLevel: Number(text("level")),
  };
}
