// The centroid table: mixtures, moved textures, distances and positions on the map, as in Python's
// `fgsd.centroids`, `fgsd.feature_map` and `fgsd.projection`.

/** @typedef {{ values: Float32Array, colour: number[] }} Centroid its feature vectors (S, F), at all noise
 *  levels of the table, and its mean colour */
/** @typedef {{ name: string, weight: number, move?: number[] }} Part */

/**
 * Between which noise levels of a table one lies: `share` of the way from level `lower` to the next.
 *
 * @param {number[]} sigmas increasing
 * @param {number} sigma
 * @returns {{ lower: number, share: number }}
 */
export function levelAt(sigmas, sigma) {
  if (sigmas.length === 1) return { lower: 0, share: 0 };
  let upper = sigmas.findIndex((level) => level >= sigma);
  if (upper < 0) upper = sigmas.length - 1;
  upper = Math.max(1, upper);
  const [low, high] = [Math.log(sigmas[upper - 1]), Math.log(sigmas[upper])];
  return { lower: upper - 1, share: Math.min(1, Math.max(0, (Math.log(sigma) - low) / (high - low))) };
}

/**
 * Row of a table (S, width) at a noise level.
 *
 * @param {number[]} sigmas
 * @param {ArrayLike<number>} values
 * @param {number} sigma
 * @returns {Float32Array}
 */
export function interpolate(sigmas, values, sigma) {
  const width = values.length / sigmas.length;
  const { lower, share } = levelAt(sigmas, sigma);
  const start = lower * width;
  return Float32Array.from({ length: width }, (_, k) => {
    const value = values[start + k];
    return share ? value + share * (values[start + width + k] - value) : value;
  });
}

export class Centroids {
  /**
   * @param {Object} table
   * @param {string[]} table.classes
   * @param {number[]} table.sigmas
   * @param {number[]} table.spacing distance between two classes at each noise level
   * @param {Record<string, Float32Array>} arrays `values` (C, S, F), `scales` (S, F), `colours` (C, 3), and
   *  of the map `means` (S, F), `axes` (S, 2, F), `origin` (2), `colourSlope` (2, 3)
   */
  constructor({ classes, sigmas, spacing }, arrays) {
    this.classes = classes;
    this.sigmas = sigmas;
    this.spacing = spacing;
    this.arrays = arrays;
    this.dimension = arrays.scales.length / sigmas.length;
  }

  /** @param {string} name @returns {Centroid} */
  of(name) {
    const row = this.classes.indexOf(name);
    const size = this.sigmas.length * this.dimension;
    const colour = [...this.arrays.colours.subarray(3 * row, 3 * row + 3)];
    return { values: this.arrays.values.subarray(row * size, (row + 1) * size), colour };
  }

  /**
   * Move a centroid over the map of PCA, by widths and heights of the map.
   *
   * @param {Centroid} centroid
   * @param {number[]} move
   * @returns {Centroid}
   */
  moved({ values, colour }, [dx, dy]) {
    const { axes, colourSlope } = this.arrays;
    const width = this.dimension;
    const shifted = values.map((value, k) => {
      const start = 2 * width * Math.floor(k / width) + (k % width);
      return value + dx * axes[start] + dy * axes[start + width];
    });
    const tinted = colour.map((value, k) => value + dx * colourSlope[k] + dy * colourSlope[3 + k]);
    return { values: shifted, colour: tinted.map((value) => Math.min(1, Math.max(-1, value))) };
  }

  /**
   * The weighted mean of textures, each displaced as the visitor has moved it.
   *
   * @param {Part[]} parts weights that sum to 1
   * @returns {Centroid}
   */
  mixture(parts) {
    const values = new Float32Array(this.sigmas.length * this.dimension);
    const colour = [0, 0, 0];
    for (const { name, weight, move } of parts) {
      const one = move ? this.moved(this.of(name), move) : this.of(name);
      for (let k = 0; k < values.length; k += 1) values[k] += weight * one.values[k];
      for (let k = 0; k < 3; k += 1) colour[k] += weight * one.colour[k];
    }
    return { values, colour };
  }

  /** @param {Centroid} centroid @param {number} sigma @returns {Float32Array} (F) */
  at({ values }, sigma) {
    return interpolate(this.sigmas, values, sigma);
  }

  /** The mean colour from which sampling starts. @param {Centroid} centroid @param {number} strength */
  startColour({ colour }, strength) {
    const { colours } = this.arrays;
    return colour.map((own, k) => {
      let mean = 0;
      for (let row = k; row < colours.length; row += 3) mean += colours[row] / this.classes.length;
      return mean + strength * (own - mean);
    });
  }

  /**
   * Distance of a feature vector from a target, in spreads within a class, and as a share of the spacing of
   * the classes.
   *
   * @param {Float32Array} phi
   * @param {Float32Array} target
   * @param {number} sigma
   * @returns {{ distance: number, relative: number | null }}
   */
  distanceAt(phi, target, sigma) {
    const scales = interpolate(this.sigmas, this.arrays.scales, sigma);
    const sum = phi.reduce((total, value, k) => total + ((value - target[k]) / scales[k]) ** 2, 0);
    const distance = Math.sqrt(sum / phi.length);
    const [spacing] = interpolate(this.sigmas, this.spacing, sigma);
    return { distance, relative: spacing > 0 ? distance / spacing : null };
  }

  /** Distance of a centroid from each class. @param {Centroid} centroid @returns {number[]} */
  distances({ values }) {
    const { values: all, scales } = this.arrays;
    const size = values.length;
    return this.classes.map((_, row) => {
      let sum = 0;
      for (let k = 0; k < size; k += 1) sum += ((all[row * size + k] - values[k]) / scales[k]) ** 2;
      return Math.sqrt(sum / size);
    });
  }

  /**
   * The class nearest to a target, its distance, and that from the class next to it.
   *
   * @param {Centroid} centroid
   * @returns {import("../shared/events.js").Nearest}
   */
  nearest(centroid) {
    const distances = this.distances(centroid);
    const row = distances.indexOf(Math.min(...distances));
    const others = this.distances(this.of(this.classes[row])).sort((a, b) => a - b);
    return {
      name: this.classes[row],
      distance: distances[row],
      spacing: others[Math.min(1, others.length - 1)],
    };
  }

  /**
   * Position of a feature vector on the map of PCA: the least-squares solution in the plane of its level.
   *
   * @param {Float32Array} phi
   * @param {number} sigma
   * @returns {[number, number]}
   */
  position(phi, sigma) {
    const { means, axes, origin } = this.arrays;
    const mean = interpolate(this.sigmas, means, sigma);
    const plane = interpolate(this.sigmas, axes, sigma);
    const [a, b] = [plane.subarray(0, this.dimension), plane.subarray(this.dimension)];
    const difference = phi.map((value, k) => value - mean[k]);
    const [x, y] = leastSquares([dot(a, a), dot(a, b), dot(b, b)], [dot(difference, a), dot(difference, b)]);
    return [origin[0] + x, origin[1] + y];
  }
}

/** @param {Float32Array} one @param {Float32Array} other */
const dot = (one, other) => one.reduce((sum, value, k) => sum + value * other[k], 0);

/**
 * Solve a symmetric system of two equations; directions in which it is singular count as zero.
 *
 * @param {number[]} gram a, b, c of the matrix [[a, b], [b, c]]
 * @param {number[]} right
 */
function leastSquares([a, b, c], [u, v]) {
  const determinant = a * c - b * b;
  if (determinant > 1e-12 * (a + c) ** 2)
    return [(c * u - b * v) / determinant, (a * v - b * u) / determinant];
  const trace = a + c; // one direction at most: the pseudo-inverse is the matrix over its trace squared
  return trace > 0 ? [(a * u + b * v) / trace ** 2, (b * u + c * v) / trace ** 2] : [0, 0];
}
