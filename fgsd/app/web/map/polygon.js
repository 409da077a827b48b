/** @typedef {import("./view.js").Position} Position */

/**
 * Whether a point lies inside of a polygon: whether an odd number of edges lies to its right.
 *
 * @param {Position[]} polygon corners in order; the last one is joined to the first
 * @param {number} x
 * @param {number} y
 */
export function isInside(polygon, x, y) {
  let inside = false;
  for (let k = 0, last = polygon.length - 1; k < polygon.length; last = k, k += 1) {
    const [a, b] = [polygon[k], polygon[last]];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}
