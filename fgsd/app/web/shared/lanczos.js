// Enlarges images with a Lanczos filter of three lobes, which keeps small textures clearly crisper than the
// filter of the browsers does.

const LOBES = 3;
const TAPS = 2 * LOBES; // neighbours that a pixel of the result is made of

/**
 * Neighbours and weights of the pixels along one axis, `TAPS` for each.
 *
 * @typedef {{ taps: Int32Array, weights: Float32Array }} Taps
 */

/** @param {number} x */
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/**
 * The filter for enlarging `side` pixels to `out` pixels.
 *
 * @param {number} side
 * @param {number} out at least `side`
 * @param {boolean} [wrap] whether the image continues at its opposite edge; else its edge pixels are repeated
 * @returns {Taps} the weights of each pixel sum to 1
 */
export function lanczosTaps(side, out, wrap = false) {
  const taps = new Int32Array(out * TAPS);
  const weights = new Float32Array(out * TAPS);
  for (let k = 0; k < out; k += 1) {
    const centre = ((k + 0.5) * side) / out - 0.5;
    const first = Math.floor(centre) - LOBES + 1;
    let sum = 0;
    for (let j = 0; j < TAPS; j += 1) {
      const distance = centre - (first + j);
      const weight = Math.abs(distance) < LOBES ? sinc(distance) * sinc(distance / LOBES) : 0;
      taps[k * TAPS + j] = wrap ? (first + j + side) % side : Math.min(side - 1, Math.max(0, first + j));
      weights[k * TAPS + j] = weight;
      sum += weight;
    }
    for (let j = 0; j < TAPS; j += 1) weights[k * TAPS + j] /= sum;
  }
  return { taps, weights };
}

/**
 * Enlarge a square image; the result is opaque.
 *
 * @param {ImageData} source
 * @param {number} out pixels along a side of the result
 * @param {Taps} filter of `lanczosTaps(source.width, out)`
 * @returns {ImageData}
 */
export function enlarge(source, out, { taps, weights }) {
  const side = source.width;
  const wide = new Float32Array(side * out * 3); // enlarged across only: rows of RGB
  for (let row = 0; row < side; row += 1) {
    for (let k = 0; k < out; k += 1) {
      for (let j = 0; j < TAPS; j += 1) {
        const from = (row * side + taps[k * TAPS + j]) * 4;
        const weight = weights[k * TAPS + j];
        const to = (row * out + k) * 3;
        for (let c = 0; c < 3; c += 1) wide[to + c] += weight * source.data[from + c];
      }
    }
  }
  const result = new ImageData(out, out); // clamps and rounds what is written
  const line = new Float32Array(out * 3);
  for (let k = 0; k < out; k += 1) {
    line.fill(0);
    for (let j = 0; j < TAPS; j += 1) {
      const from = taps[k * TAPS + j] * out * 3;
      const weight = weights[k * TAPS + j];
      for (let x = 0; x < out * 3; x += 1) line[x] += weight * wide[from + x];
    }
    for (let x = 0; x < out; x += 1) {
      const to = (k * out + x) * 4;
      for (let c = 0; c < 3; c += 1) result.data[to + c] = line[x * 3 + c];
      result.data[to + 3] = 255;
    }
  }
  return result;
}
