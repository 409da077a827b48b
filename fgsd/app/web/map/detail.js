// The level of detail: thumbnails and names are shown where they have room, more of them as one zooms in. The
// other textures are small dots.

/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./view.js").Size} Size */
/** @typedef {{ left: number, right: number, top: number, bottom: number }} Box in pixels */

const SPACING = 1.18; // of a thumbnail, in its sides
const NAME = { width: 84, height: 14 }; // pixels

/**
 * Order points so that the first of them are spread over the map, however many one takes: each is the one
 * farthest from those before it (Gonzalez 1985).
 *
 * @param {Position[]} points
 * @param {Size} size of the map, in which distances are measured
 * @returns {number[]} indices of the points; the first is the one nearest to their mean
 */
export function spreadOrder(points, { width, height }) {
  const scaled = points.map(({ x, y }) => ({ x: x * width, y: y * height }));
  const mean = (/** @type {"x" | "y"} */ axis) =>
    scaled.reduce((total, point) => total + point[axis], 0) / Math.max(1, scaled.length);
  const middle = { x: mean("x"), y: mean("y") };
  const nearest = scaled.map((point) => -squaredDistance(point, middle)); // then: to the nearest one so far
  const order = [];
  while (order.length < points.length) {
    const next = nearest.reduce((best, value, k) => (value > nearest[best] ? k : best), 0);
    const first = order.length === 0;
    order.push(next);
    for (const [k, point] of scaled.entries()) {
      const distance = squaredDistance(point, scaled[next]);
      nearest[k] = first ? distance : Math.min(nearest[k], distance);
    }
    for (const k of order) nearest[k] = -1;
  }
  return order;
}

/** @param {Position} a @param {Position} b */
const squaredDistance = (a, b) => (a.x - b.x) ** 2 + (a.y - b.y) ** 2;

/**
 * Return which thumbnails and which names have room: each is taken in the order of the map, unless it
 * overlaps one that was taken before.
 *
 * @param {Map<string, Position>} centres of the thumbnails in pixels, by name
 * @param {number} side of a thumbnail in pixels
 * @param {Set<string>} always names of those that are shown even where there is no room
 * @param {boolean} naming whether names are shown
 * @param {Box[]} [labels] boxes that are taken before any thumbnail
 * @returns {{ shown: Set<string>, named: Set<string> }}
 */
export function detailOf(centres, side, always, naming, labels = []) {
  /** @type {Box[]} */
  const taken = [...labels];
  const shown = new Set();
  for (const [name, centre] of centres) {
    const box = boxAt(centre, SPACING * side, SPACING * side);
    if (!always.has(name) && taken.some((other) => overlap(box, other))) continue;
    taken.push(box);
    shown.add(name);
  }
  const named = new Set();
  if (!naming) return { shown, named };
  for (const [name, { x, y }] of centres) {
    const centre = { x, y: y + (SPACING * side + NAME.height) / 2 };
    const box = boxAt(centre, NAME.width, NAME.height);
    if (!shown.has(name) || taken.some((other) => overlap(box, other))) continue;
    taken.push(box);
    named.add(name);
  }
  return { shown, named };
}

/**
 * Return the labels that have room: each, in their order, takes the first of its boxes that overlaps neither
 * a thumbnail nor a label before it.
 *
 * @param {import("./regions.js").Candidate[]} labels
 * @param {Position[]} centres of the thumbnails, in pixels
 * @param {number} side of a thumbnail in pixels
 * @returns {import("./regions.js").Label[]}
 */
export function placedLabels(labels, centres, side) {
  const taken = centres.map((centre) => boxAt(centre, SPACING * side, SPACING * side));
  const placed = [];
  for (const { family, boxes } of labels) {
    const box = boxes.find((one) => !taken.some((other) => overlap(one, other)));
    if (!box) continue;
    taken.push(box);
    placed.push({ family, box });
  }
  return placed;
}

/** @param {Box} a @param {Box} b */
const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** @param {Position} centre @param {number} width @param {number} height @returns {Box} */
function boxAt({ x, y }, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}
