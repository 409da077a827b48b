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
   *  of the map `means` (S, F), `axes` (S, 2, F), `origin` (2), `colourSlope` (2, 3), and in 3D `spaceAxes`
   *  (S, 3, F), `spaceOrigin` (3)
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
    const { axes, origin } = this.arrays;
    const [x, y] = this.#solved(phi, sigma, axes);
    return [origin[0] + x, origin[1] + y];
  }

  /**
   * The same in 3D, whose third coordinate is that in the space of three axes.
   *
   * @param {Float32Array} phi
   * @param {number} sigma
   * @returns {[number, number, number]}
   */
  positionInSpace(phi, sigma) {
    const { spaceAxes, spaceOrigin } = this.arrays;
    return [...this.position(phi, sigma), spaceOrigin[2] + this.#solved(phi, sigma, spaceAxes)[2]];
  }

  /**
   * Coordinates of a feature vector along axes, from the mean of its level.
   *
   * @param {Float32Array} phi
   * @param {number} sigma
   * @param {Float32Array} axes (S, K, F)
   * @returns {number[]} (K)
   */
  #solved(phi, sigma, axes) {
    const mean = interpolate(this.sigmas, this.arrays.means, sigma);
    const flat = interpolate(this.sigmas, axes, sigma);
    const difference = phi.map((value, k) => value - mean[k]);
    const rows = Array.from({ length: flat.length / this.dimension }, (_, k) =>
      flat.subarray(k * this.dimension, (k + 1) * this.dimension),
    );
    return solved(
      rows.map((one) => rows.map((other) => dot(one, other))),
      rows.map((one) => dot(difference, one)),
    );
  }
}

/** @param {Float32Array} one @param {Float32Array} other */
const dot = (one, other) => one.reduce((sum, value, k) => sum + value * other[k], 0);

/**
 * Solve a symmetric system of equations by elimination. An unknown whose equation says nothing more is 0: an
 * axis along which no class varies is zero.
 *
 * @param {number[][]} matrix
 * @param {number[]} right
 * @returns {number[]}
 */
export function solved(matrix, right) {
  const rows = matrix.map((row, k) => [...row, right[k]]);
  const limit = 1e-12 * Math.max(...matrix.map((row, k) => row[k]));
  for (const [k, pivot] of rows.entries()) {
    if (!(pivot[k] > limit)) continue;
    for (const [other, row] of rows.entries()) {
      const factor = other === k ? 0 : row[k] / pivot[k];
      if (factor) rows[other] = row.map((value, column) => value - factor * pivot[column]);
    }
  }
  return rows.map((row, k) => (row[k] > limit ? row[row.length - 1] / row[k] : 0));
}
