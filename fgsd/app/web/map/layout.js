// Positions of the thumbnails in each arrangement.

/** @typedef {import("./view.js").Placement} Placement */
/** @typedef {import("./data.js").MapData} MapData */
/** @typedef {import("../shared/events.js").UserTexture} UserTexture */

const GRID_EDGE = 0.01; // of the map's size, left free
const USER_EDGE = 0.04; // the same round a user texture on the map

/** @param {number} count @param {import("./view.js").Size} size */
export function gridColumns(count, { width, height }) {
  return Math.max(1, Math.round(Math.sqrt((count * width) / height)));
}

/**
 * Put all thumbnails in rows.
 *
 * @param {string[]} names
 * @param {import("./view.js").Size} size of the map
 * @returns {Map<string, Placement>}
 */
export function gridLayout(names, size) {
  const columns = gridColumns(names.length, size);
  const rows = Math.ceil(names.length / columns);
  const inside = (/** @type {number} */ share) => GRID_EDGE + (1 - 2 * GRID_EDGE) * share;
  return new Map(
    names.map((name, k) => {
      const x = inside(((k % columns) + 0.5) / columns);
      const y = inside((Math.floor(k / columns) + 0.5) / rows);
      return [name, { x, y, classX: x, classY: y }];
    }),
  );
}

/**
 * Put all thumbnails near their classes, and user textures on their positions or at the nearest edge.
 *
 * @param {MapData} data
 * @param {Map<string, UserTexture>} userTextures
 * @param {string} projection
 * @param {number} level
 * @returns {Map<string, Placement>}
 */
export function mapLayout({ classes, tables }, userTextures, projection, level) {
  /** @type {Map<string, Placement>} */
  const placements = new Map();
  for (const [k, name] of classes.entries()) {
    const [x, y, classX, classY] = tables[projection].subarray(4 * (level * classes.length + k));
    placements.set(name, { x, y, classX, classY });
  }
  const inside = (/** @type {number} */ v) => Math.min(1 - USER_EDGE, Math.max(USER_EDGE, v));
  for (const [name, { pca, umap }] of userTextures) {
    const [x, y] = ((projection === "umap" && umap) || pca)[level];
    placements.set(name, { x: inside(x), y: inside(y), classX: x, classY: y });
  }
  return placements;
}
