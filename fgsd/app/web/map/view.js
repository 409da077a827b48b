// The view of the map: arrangement, projection, noise level and zoom. Positions are shares of the map's width
// and height; pixels are CSS pixels from its upper left corner.

/** @typedef {{ x: number, y: number }} Position */
/** @typedef {{ x: number, y: number, classX: number, classY: number }} Placement where a thumbnail is, and
 *  the class itself */
/** @typedef {{ zoom: number, x: number, y: number }} Transform pixel = zoom * position * size + (x, y) */
/** @typedef {{ width: number, height: number }} Size */

export const MAX_ZOOM = 40;
const MAX_MARGIN = 0.25; // of the map's size: how far its edge may come inside while it is zoomed
const IDENTITY = { zoom: 1, x: 0, y: 0 };

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Limit a transform so that the map stays in sight.
 *
 * @param {Transform} transform
 * @param {Size} size
 * @returns {Transform}
 */
export function limited(transform, { width, height }) {
  const zoom = clamp(transform.zoom, 1, MAX_ZOOM);
  const offset = (/** @type {number} */ value, /** @type {number} */ extent) => {
    const margin = zoom > 1 ? MAX_MARGIN * extent : 0;
    return clamp(value, extent - zoom * extent - margin, margin);
  };
  return { zoom, x: offset(transform.x, width), y: offset(transform.y, height) };
}

/**
 * Zoom a transform by a factor. The position under a pixel stays in place.
 *
 * @param {Transform} transform
 * @param {number} factor
 * @param {Position} pixel
 * @returns {Transform} not `limited` yet
 */
export function zoomedAt(transform, factor, pixel) {
  const zoom = clamp(transform.zoom * factor, 1, MAX_ZOOM);
  const offset = (/** @type {number} */ value, /** @type {number} */ at) =>
    at - ((at - value) * zoom) / transform.zoom;
  return { zoom, x: offset(transform.x, pixel.x), y: offset(transform.y, pixel.y) };
}

export class View {
  /** @type {"map" | "grid"} */
  arrangement = "map";
  /** @type {Size} */
  size = { width: 1, height: 1 };
  /** @type {Transform} of the map; the grid is not zoomed */
  transform = IDENTITY;

  /** @param {string} projection @param {number} level index of the noise level */
  constructor(projection, level) {
    this.projection = projection;
    this.level = level;
  }

  get isMap() {
    return this.arrangement === "map";
  }

  /** Only the plane of PCA is linear: there, moving a texture moves its centroid. */
  get isLinear() {
    return this.isMap && this.projection === "pca";
  }

  /** @returns {Transform} that holds now */
  get shownTransform() {
    return this.isMap ? this.transform : IDENTITY;
  }

  /** @param {Position} position @returns {Position} in pixels */
  toPixel({ x, y }) {
    const { zoom, x: left, y: top } = this.shownTransform;
    return { x: zoom * x * this.size.width + left, y: zoom * y * this.size.height + top };
  }

  /** @param {Position} pixel @returns {Position} */
  toPosition({ x, y }) {
    const { zoom, x: left, y: top } = this.shownTransform;
    return { x: (x - left) / (zoom * this.size.width), y: (y - top) / (zoom * this.size.height) };
  }

  /** @param {Transform} transform */
  setTransform(transform) {
    this.transform = limited(transform, this.size);
  }

  /** Another size shows the same part of the map. @param {Size} size */
  resize(size) {
    const { zoom, x, y } = this.transform;
    const { width, height } = this.size;
    this.size = size;
    this.setTransform({ zoom, x: (x * size.width) / width, y: (y * size.height) / height });
  }
}
