// Masks of the regions of a plan, with soft edges: as Python's `fgsd.regions.region_masks` and
// `fgsd.soft_edges`, which say why.
import { connectedAreas, squaredDistances } from "./distances.js";

const FEATHER_SHARE = 0.15;
const SPOT_RADIUS = 2;
const SPOT_RATIO = Math.SQRT2;
const TINY = 1e-6;

/** @typedef {{ limit: number, region: number, mask: Float32Array }} Spot `limit` is the standard deviation of
 *  its blur */

/**
 * Masks (R, side, side), whose sum over the regions is 1 at each pixel.
 *
 * @param {Uint8Array} plan number of a region for each pixel, row by row
 * @param {number[]} numbers of the regions, each of which has pixels
 * @param {number} side
 * @param {{ feather: number, tileable: boolean }} options standard deviation of the Gaussian by which edges
 *  are softened, in pixels; whether across the edge of the picture
 * @returns {Float32Array}
 */
export function regionMasks(plan, numbers, side, { feather, tileable }) {
  const hard = numbers.map((number) => Float32Array.from(plan, (one) => Number(one === number)));
  const soft = feather > 0 ? softened(hard, side, feather, tileable) : hard;
  const masks = new Float32Array(hard.length * side * side);
  for (const [region, mask] of normalized(soft, 0).entries()) masks.set(mask, region * side * side);
  return masks;
}

/** Divide masks by their sum at each pixel. @param {Float32Array[]} masks @param {number} least of the sum */
function normalized(masks, least) {
  const total = masks[0].map((_, p) => masks.reduce((sum, mask) => sum + mask[p], 0));
  return masks.map((mask) => mask.map((value, p) => value / Math.max(total[p], least)));
}

/** @param {Float32Array[]} masks @param {number} side @param {number} feather @param {boolean} wraps */
function softened(masks, side, feather, wraps) {
  const { wide, spots } = areas(masks, side, feather, wraps);
  const soft = normalized(
    wide.map((mask) => blurred(mask, side, feather, wraps)),
    TINY,
  );
  for (const { limit, region, mask } of spots.sort((one, other) => other.limit - one.limit)) {
    const over = blurred(mask, side, limit, wraps);
    for (const under of soft) for (let p = 0; p < over.length; p += 1) under[p] *= 1 - over[p];
    for (let p = 0; p < over.length; p += 1) soft[region][p] += over[p];
  }
  return soft;
}

/**
 * Divide masks of 0 and 1 into wide areas and spots; at least one region has a wide area.
 *
 * @param {Float32Array[]} masks
 * @param {number} side
 * @param {number} feather
 * @param {boolean} wraps
 * @returns {{ wide: Float32Array[], spots: Spot[] }}
 */
function areas(masks, side, feather, wraps) {
  const margin = wraps ? Math.ceil(feather / FEATHER_SHARE) : 0;
  const radii = masks.map((mask) => innerRadii(mask, side, margin));
  const largest = radii.map((found) => found.reduce((most, radius) => Math.max(most, radius), 0));
  const isSpot = radii.map((found, region) => {
    // dots of a region that has spots only are blurred as its largest spot
    found.forEach((radius, p) => (found[p] = radius > 0 && radius < SPOT_RADIUS ? largest[region] : radius));
    return found.map((radius) => Number(radius > 0 && FEATHER_SHARE * radius < feather));
  });
  if (masks.every((mask, region) => mask.every((value, p) => !value || isSpot[region][p]))) {
    isSpot[largest.indexOf(Math.max(...largest))].fill(0);
  }
  /** @type {Spot[]} */
  const spots = [];
  for (const [region, spot] of isSpot.entries()) {
    const remaining = radii[region].map((radius, p) => (spot[p] ? radius : 0));
    for (;;) {
      const radius = remaining.reduce((most, one) => Math.max(most, one), 0);
      if (radius <= 0) break;
      const mask = Float32Array.from(remaining, (one) => Number(one > radius / SPOT_RATIO));
      spots.push({ limit: FEATHER_SHARE * radius, region, mask });
      mask.forEach((one, p) => one && (remaining[p] = 0));
    }
  }
  const wide = masks.map((mask, region) => mask.map((value, p) => (isSpot[region][p] ? 0 : value)));
  return { wide, spots };
}

/**
 * Radius of the largest disc in the connected area of each pixel of a mask; 0 outside of it.
 *
 * @param {Float32Array} mask
 * @param {number} side
 * @param {number} margin pixels for which the mask wraps round at its edges
 * @returns {Float64Array}
 */
function innerRadii(mask, side, margin) {
  if (mask.every((value) => value > 0)) return new Float64Array(mask.length).fill(Infinity);
  const width = side + 2 * margin;
  const around = Int32Array.from({ length: width }, (_, k) => modulo(k - margin, side));
  const inside = new Uint8Array(width * width);
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) inside[y * width + x] = mask[around[y] * side + around[x]];
  }
  const { labels, count } = connectedAreas(inside, width);
  const squares = new Float64Array(count);
  squaredDistances(inside, width).forEach((square, p) => {
    if (labels[p]) squares[labels[p]] = Math.max(squares[labels[p]], square);
  });
  return Float64Array.from(mask, (_, p) => {
    const [x, y] = [p % side, Math.floor(p / side)];
    return Math.sqrt(squares[labels[(y + margin) * width + x + margin]]);
  });
}

/**
 * Blur a mask by a Gaussian; beyond the edge it continues as it is there, or wraps round.
 *
 * @param {Float32Array} mask
 * @param {number} side
 * @param {number} std
 * @param {boolean} wraps
 */
function blurred(mask, side, std, wraps) {
  const radius = Math.max(1, Math.ceil(3 * std));
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, k) =>
    Math.exp(-((k - radius) ** 2) / (2 * std ** 2)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const kernel = weights.map((weight) => weight / total);
  const source = Int32Array.from({ length: side + 2 * radius }, (_, k) =>
    wraps ? modulo(k - radius, side) : Math.min(side - 1, Math.max(0, k - radius)),
  );
  const line = new Float64Array(source.length);
  let image = mask;
  for (let pass = 0; pass < 2; pass += 1) {
    // each pass blurs the rows, and turns rows into columns
    const turned = new Float32Array(mask.length);
    for (let y = 0; y < side; y += 1) {
      for (let k = 0; k < source.length; k += 1) line[k] = image[y * side + source[k]];
      for (let x = 0; x < side; x += 1) {
        let sum = 0;
        for (let k = 0; k < kernel.length; k += 1) sum += kernel[k] * line[x + k];
        turned[x * side + y] = sum;
      }
    }
    image = turned;
  }
  return image;
}

/** @param {number} value @param {number} count */
const modulo = (value, count) => ((value % count) + count) % count;
