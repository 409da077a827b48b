// Pure functions of the target, a list of textures with weights. None changes its arguments.

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./view.js").Position} Position */

export const START_WEIGHT = 50; // of a texture that was just chosen: the middle of its slider
const MAX_NEAREST = 4; // textures that a position is mixed from

/** @param {TargetEntry[]} target @param {string} name */
export const entryOf = (target, name) => target.find((entry) => entry.name === name);

/** @param {TargetEntry[]} target @param {TargetEntry} entry @returns {number} of the mixture, from 0 to 1 */
export function shareOf(target, entry) {
  return entry.weight / (target.reduce((sum, { weight }) => sum + weight, 0) || 1);
}

/** @param {TargetEntry[]} target @param {TargetEntry} entry */
export const percentOf = (target, entry) => Math.round(100 * shareOf(target, entry));

/** @param {TargetEntry[]} target @param {string} name */
export const without = (target, name) => target.filter((entry) => entry.name !== name);

/** @param {TargetEntry[]} target @param {string} name @param {number} weight */
export function withWeight(target, name, weight) {
  return target.map((entry) => (entry.name === name ? { ...entry, weight } : entry));
}

/**
 * Give one texture this share of the mixture. The others keep their proportions in the rest.
 *
 * @param {TargetEntry[]} target
 * @param {string} name
 * @param {number} percent
 * @returns {TargetEntry[] | null} null if there are no others
 */
export function withPercent(target, name, percent) {
  const rest = without(target, name).reduce((sum, { weight }) => sum + weight, 0);
  if (!Number.isFinite(percent) || rest <= 0) return null;
  const share = Math.min(100, Math.max(0, percent));
  return target.map((entry) => ({
    ...entry,
    weight: entry.name === name ? share : (entry.weight * (100 - share)) / rest,
  }));
}

/**
 * Move one texture over the map, or back to its home.
 *
 * @param {TargetEntry[]} target
 * @param {string} name
 * @param {[number, number] | null} move
 * @returns {TargetEntry[]}
 */
export function withMove(target, name, move) {
  return target.map((entry) => {
    if (entry.name !== name) return entry;
    return move ? { ...entry, move } : { name, weight: entry.weight };
  });
}

/**
 * The mixture at a position of the map: the nearest textures, with weights (1 - d / R)^2 / d, where d is the
 * distance of a texture and R that of the nearest one that is left out. On a thumbnail, its texture has
 * weight 1. Weights change continuously, and evenly between two textures that stand apart.
 *
 * @param {Position} position
 * @param {Map<string, Position>} centres of the thumbnails
 * @param {number} heightOverWidth of the map
 * @returns {TargetEntry[]} weights in percent
 */
export function mixtureAt({ x, y }, centres, heightOverWidth) {
  const near = [...centres]
    .map(([name, centre]) => ({ name, d: Math.hypot(centre.x - x, (centre.y - y) * heightOverWidth) }))
    .sort((a, b) => a.d - b.d);
  if (near[0].d < 1e-6 || near.length === 1) return [{ name: near[0].name, weight: 100 }];
  const limit = near[MAX_NEAREST]?.d ?? 2 * near[near.length - 1].d;
  const parts = near
    .slice(0, MAX_NEAREST)
    .filter(({ d }) => d < limit)
    .map(({ name, d }) => ({ name, weight: (1 - d / limit) ** 2 / d }));
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  return parts
    .map(({ name, weight }) => ({ name, weight: Math.round((1e5 * weight) / total) / 1e3 }))
    .filter(({ weight }) => weight > 0);
}

/**
 * The mixture of the classes with the highest counts, in proportion to them.
 *
 * @param {Map<string, number>} counts
 * @param {number} maxClasses
 * @returns {TargetEntry[]} weights in percent
 */
export function mixtureOfCounts(counts, maxClasses) {
  const found = [...counts].sort((a, b) => b[1] - a[1]).slice(0, maxClasses);
  const total = found.reduce((sum, [, count]) => sum + count, 0);
  return found.map(([name, count]) => ({ name, weight: Math.round((1e5 * count) / total) / 1e3 }));
}
