// Where on the map each family is: a grid of cells, each with the family whose textures are densest there.

/** @typedef {import("./view.js").Position} Position */
/** @typedef {{ columns: number, rows: number, low: number, high: number }} FieldGrid cells, and the range of
 *  positions that they cover, across and down */
/** @typedef {{ owner: Int16Array, strength: Float32Array, places: Position[][] }} Field `owner` is the index
 *  of the densest family of each cell, -1 where there is none; `strength`, from 0 to 1, is how clearly it is
 *  the densest; `places` is for each family where its name may stand, the best first */

/** @type {FieldGrid} */
export const GRID = { columns: 120, rows: 100, low: -0.1, high: 1.1 };
const REACH = 2.5; // standard deviations of a texture's density, beyond which it is none
const FULL = 1.2; // density, in textures at one place, from which a region has its full colour
const NAMED = 0.25; // strength from which the name of the family may stand on a cell
const NAME_STEP = 3; // cells from one such place to the next, across and down
const CLEAR = [0.4, 0.75]; // share of the density that the densest family has: none and all of its colour

/**
 * Estimate the density of each family by a Gaussian at each of its textures, and find the densest.
 *
 * @param {Position[]} points of the textures
 * @param {number[]} members index of each texture's family; -1: none
 * @param {number} count of families
 * @param {number} width standard deviation of the Gaussians, in widths of the map
 * @param {number} aspect width of the map over its height
 * @param {FieldGrid} [grid]
 * @returns {Field}
 */
export function regionField(points, members, count, width, aspect, grid = GRID) {
  const { columns, rows, low, high } = grid;
  const [stepX, stepY] = [(high - low) / columns, (high - low) / rows];
  const density = new Float32Array(count * columns * rows);
  for (const [k, { x, y }] of points.entries()) {
    if (members[k] < 0) continue;
    const layer = members[k] * columns * rows;
    const range = (/** @type {number} */ v, /** @type {number} */ reach, /** @type {number} */ step) => [
      Math.ceil((v - reach - low) / step - 0.5),
      Math.floor((v + reach - low) / step - 0.5),
    ];
    const [left, right] = range(x, REACH * width, stepX);
    const [top, bottom] = range(y, REACH * width * aspect, stepY);
    for (let row = Math.max(0, top); row <= Math.min(rows - 1, bottom); row += 1) {
      const dy = (low + (row + 0.5) * stepY - y) / (width * aspect);
      for (let column = Math.max(0, left); column <= Math.min(columns - 1, right); column += 1) {
        const dx = (low + (column + 0.5) * stepX - x) / width;
        density[layer + row * columns + column] += Math.exp(-(dx * dx + dy * dy) / 2);
      }
    }
  }
  return strongest(density, count, grid);
}

/** @param {Float32Array} density (count, rows, columns) @param {number} count @param {FieldGrid} grid */
function strongest(density, count, { columns, rows, low, high }) {
  const cells = columns * rows;
  const owner = new Int16Array(cells).fill(-1);
  const strength = new Float32Array(cells);
  /** @type {(Position & { density: number })[][]} */
  const places = Array.from({ length: count }, () => []);
  for (let cell = 0; cell < cells; cell += 1) {
    let [total, first, family] = [0, 0, -1];
    for (let k = 0; k < count; k += 1) {
      const value = density[k * cells + cell];
      total += value;
      if (value > first) [first, family] = [value, k];
    }
    if (family < 0) continue;
    owner[cell] = family;
    strength[cell] = ramp(first / total, CLEAR[0], CLEAR[1]) * ramp(first, 0, FULL);
    const [row, column] = [Math.floor(cell / columns), cell % columns];
    if (strength[cell] < NAMED || row % NAME_STEP || column % NAME_STEP) continue;
    const x = low + ((column + 0.5) / columns) * (high - low);
    places[family].push({ x, y: low + ((row + 0.5) / rows) * (high - low), density: first });
  }
  for (const some of places) some.sort((a, b) => b.density - a.density);
  return { owner, strength, places };
}

/** @param {number} value @param {number} low @param {number} high @returns {number} from 0 to 1 */
const ramp = (value, low, high) => Math.min(1, Math.max(0, (value - low) / (high - low)));
