// Positions on the map of UMAP: between the crops and centroids that are nearest in feature space, as in
// Python's `fgsd.projection.interpolate_landmarks` and `FeatureMap.project`.
import { interpolate, levelAt } from "./centroids.js";

const NEAREST = 15;
const MIN_SHARE = 1e-6;

/**
 * The weighted mean of the positions of the nearest landmarks, with weights ((R - d) / (R d))^2: d is the
 * distance of a landmark, R that of the nearest one that is left out.
 *
 * @param {number[]} distances of all landmarks
 * @param {(landmark: number) => [number, number]} positionOf
 * @returns {[number, number]}
 */
export function interpolated(distances, positionOf) {
  const order = distances.map((_, k) => k).sort((a, b) => distances[a] - distances[b]);
  const count = Math.min(NEAREST, distances.length - 1);
  const limit = Math.max(distances[order[count]], 1e-12);
  let [x, y, total] = [0, 0, 0];
  for (const landmark of order.slice(0, count)) {
    const share = distances[landmark] / limit;
    const weight = (Math.max(1 - share, MIN_SHARE) / Math.max(share, MIN_SHARE)) ** 2;
    const [left, top] = positionOf(landmark);
    [x, y, total] = [x + weight * left, y + weight * top, total + weight];
  }
  return [x / total, y / total];
}

export class Landmarks {
  /**
   * @param {number[]} sigmas noise levels of the table
   * @param {Record<string, Float32Array>} table its `means` and `scales`, (S, F)
   * @param {Record<string, Float32Array>} arrays `bases` (S, F, K), `scores` (S, N, K) of the crops in units
   *  of `steps` (S, K), `centres` (S, C, K) of the classes, `positions` (S, N + C, 2) of both
   */
  constructor(sigmas, table, arrays) {
    this.sigmas = sigmas;
    this.table = table;
    this.arrays = arrays;
    const levels = sigmas.length;
    this.components = arrays.steps.length / levels;
    this.crops = arrays.scores.length / levels / this.components;
    this.classes = arrays.centres.length / levels / this.components;
  }

  /**
   * @param {Float32Array} phi
   * @param {number} sigma
   * @returns {[number, number]}
   */
  position(phi, sigma) {
    const mean = interpolate(this.sigmas, this.table.means, sigma);
    const scale = interpolate(this.sigmas, this.table.scales, sigma);
    const z = phi.map((value, k) => (value - mean[k]) / scale[k]);
    const { lower, share } = levelAt(this.sigmas, sigma);
    const [x, y] = share < 1 ? this.#at(z, lower) : [0, 0];
    const [right, down] = share > 0 ? this.#at(z, lower + 1) : [0, 0];
    return [x + share * (right - x), y + share * (down - y)];
  }

  /** @param {Float32Array} z @param {number} level @returns {[number, number]} */
  #at(z, level) {
    const { bases, scores, steps, centres, positions } = this.arrays;
    const { components, crops, classes } = this;
    const point = new Float64Array(components);
    for (let f = 0; f < z.length; f += 1) {
      const row = (level * z.length + f) * components;
      for (let k = 0; k < components; k += 1) point[k] += z[f] * bases[row + k];
    }
    const distances = Array.from({ length: crops + classes }, (_, landmark) => {
      const isCrop = landmark < crops;
      const from = isCrop ? level * crops + landmark : level * classes + landmark - crops;
      let sum = 0;
      for (let k = 0; k < components; k += 1) {
        const at = from * components + k;
        const score = isCrop ? scores[at] * steps[level * components + k] : centres[at];
        sum += (point[k] - score) ** 2;
      }
      return Math.sqrt(sum);
    });
    return interpolated(distances, (landmark) => {
      const at = 2 * (level * (crops + classes) + landmark);
      return [positions[at], positions[at + 1]];
    });
  }
}
