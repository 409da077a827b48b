// The grid by families: a block for each, with a heading, in bands of equal height.

/** @typedef {import("./view.js").Placement} Placement */
/** @typedef {import("./view.js").Size} Size */
/** @typedef {{ family: string, x: number, y: number }} Heading its left end and its middle, as shares */
/** @typedef {{ first: number, end: number, rows: number }} Band blocks, and the rows of each */

const HEADING = 18; // pixels above a block
const GAP = { x: 12, y: 4 }; // pixels between blocks
const EDGE = 8; // pixels
const LETTER = 6.6; // pixels of a heading's letter; its text must not reach the next block
const NAMED = 60; // pixels from which a cell also holds the name of its texture
const NAME = 18; // pixels
const THUMBNAIL = 0.78; // of a cell with a name, see map.css

/**
 * Put thumbnails in blocks, as large as there is room.
 *
 * @param {Map<string, string[]>} groups names by family
 * @param {Size} size of the map
 * @returns {{ placements: Map<string, Placement>, headings: Heading[], cell: number, named: boolean }} `cell`
 *  is the side of a thumbnail's cell as a share of the map's width
 */
export function familyGrid(groups, size) {
  const blocks = [...groups].map(([family, names]) => ({ family, names }));
  const inner = { width: size.width - 2 * EDGE + GAP.x, height: size.height - EDGE };
  const fits = (/** @type {number} */ side) => divide(blocks, side, inner);
  let [low, high] = [1, Math.min(inner.width, inner.height)];
  for (let k = 0; k < 24; k += 1) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const bands = fits(low) ?? [];
  /** @type {Map<string, Placement>} */
  const placements = new Map();
  /** @type {Heading[]} */
  const headings = [];
  let top = EDGE / 2;
  for (const { first, end, rows } of bands) {
    let left = EDGE;
    for (const { family, names } of blocks.slice(first, end)) {
      headings.push({ family, x: left / size.width, y: (top + HEADING / 2) / size.height });
      const columns = Math.ceil(names.length / rows);
      for (const [k, name] of names.entries()) {
        const x = (left + ((k % columns) + 0.5) * low) / size.width;
        const y = (top + HEADING + (Math.floor(k / columns) + 0.5) * cellHeight(low)) / size.height;
        placements.set(name, { x, y, classX: x, classY: y });
      }
      left += blockWidth(family, names.length, rows, low);
    }
    top += bandHeight(rows, low);
  }
  return { placements, headings, cell: low / size.width, named: low >= NAMED };
}

/** @param {number} side */
const cellHeight = (side) => (side >= NAMED ? Math.max(side, THUMBNAIL * side + NAME) : side);

/** @param {number} rows @param {number} side */
const bandHeight = (rows, side) => HEADING + rows * cellHeight(side) + GAP.y;

/** @param {string} family @param {number} count @param {number} rows @param {number} side */
const blockWidth = (family, count, rows, side) =>
  Math.max(Math.ceil(count / rows) * side, 16 + LETTER * family.length) + GAP.x;

/**
 * Divide blocks, in their order, into bands that are as low as possible together.
 *
 * @param {{ family: string, names: string[] }[]} blocks
 * @param {number} side of a cell in pixels
 * @param {Size} inner pixels
 * @returns {Band[] | null} null if they do not fit
 */
function divide(blocks, side, inner) {
  /** @type {{ height: number, band: Band | null }[]} best from each block on */
  const best = Array.from({ length: blocks.length + 1 }, () => ({ height: Infinity, band: null }));
  best[blocks.length].height = 0;
  const most = Math.floor(inner.height / side);
  for (let first = blocks.length - 1; first >= 0; first -= 1) {
    for (let rows = 1; rows <= most; rows += 1) {
      let width = 0;
      for (let end = first + 1; end <= blocks.length; end += 1) {
        const { family, names } = blocks[end - 1];
        width += blockWidth(family, names.length, rows, side);
        if (width > inner.width) break;
        const height = bandHeight(rows, side) + best[end].height;
        if (height < best[first].height) best[first] = { height, band: { first, end, rows } };
      }
    }
  }
  if (best[0].height > inner.height) return null;
  const bands = [];
  for (let band = best[0].band; band; band = best[band.end].band) bands.push(band);
  return bands;
}
