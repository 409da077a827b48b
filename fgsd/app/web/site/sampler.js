// Samplers: as those of Python's `fgsd.sampling`, for one image.

/**
 * `denoised` and the feature vector `phi` of a noisy image.
 *
 * @typedef {(x: Float32Array, sigma: number) =>
 *   Promise<{ denoised: Float32Array, phi: Float32Array }>} Denoise
 */

/**
 * One step: `x` is the image after it, at the next noise level.
 *
 * @typedef {{ index: number, sigma: number, x: Float32Array, denoised: Float32Array, phi: Float32Array,
 *   evaluations: number }} Step
 */

/** @typedef {(denoise: Denoise, x: Float32Array, sigmas: number[], noise: () => Float32Array) =>
 *   AsyncGenerator<Step>} Sampler */

/**
 * Noise levels from `high` to `low`, then 0 (Karras et al. 2022, equation 5).
 *
 * @param {number} steps
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function karrasSchedule(steps, low, high, rho = 7) {
  const [a, b] = [high ** (1 / rho), low ** (1 / rho)];
  const levels = Array.from({ length: steps }, (_, k) => (a + (k / Math.max(1, steps - 1)) * (b - a)) ** rho);
  return [...levels, 0];
}

/** a one + b other, value by value. @param {number} a @param {Float32Array} one @param {number} b
 *  @param {Float32Array} other */
function combined(a, one, b, other) {
  return one.map((value, k) => a * value + b * other[k]);
}

/** DPM-Solver++ (2M), Lu et al. 2022. @type {Sampler} */
export async function* dpmSolver2m(denoise, x, sigmas) {
  /** @type {{ denoised: Float32Array, h: number } | null} */
  let previous = null;
  for (let k = 0; k + 1 < sigmas.length; k += 1) {
    const [sigma, next] = [sigmas[k], sigmas[k + 1]];
    const { denoised, phi } = await denoise(x, sigma);
    if (next === 0) x = denoised;
    else {
      const h = Math.log(sigma / next);
      const weight = previous ? h / (2 * previous.h) : 0;
      const estimate = previous ? combined(1 + weight, denoised, -weight, previous.denoised) : denoised;
      x = combined(next / sigma, x, -Math.expm1(-h), estimate);
      previous = { denoised, h };
    }
    yield { index: k + 1, sigma, x, denoised, phi, evaluations: k + 1 };
  }
}

/** Heun's method, Karras et al. 2022. @type {Sampler} */
export async function* heun(denoise, x, sigmas) {
  let evaluations = 0;
  for (let k = 0; k + 1 < sigmas.length; k += 1) {
    const [sigma, next] = [sigmas[k], sigmas[k + 1]];
    const { denoised, phi } = await denoise(x, sigma);
    evaluations += 1;
    if (next === 0) x = denoised;
    else {
      const slope = combined(1 / sigma, x, -1 / sigma, denoised);
      const euler = combined(1, x, next - sigma, slope);
      const second = combined(1 / next, euler, -1 / next, (await denoise(euler, next)).denoised);
      evaluations += 1;
      x = combined(1, x, (next - sigma) / 2, combined(1, slope, 1, second));
    }
    yield { index: k + 1, sigma, x, denoised, phi, evaluations };
  }
}

/** Ancestral sampling, Ho et al. 2020. @type {Sampler} */
export async function* ancestral(denoise, x, sigmas, noise) {
  for (let k = 0; k + 1 < sigmas.length; k += 1) {
    const [sigma, next] = [sigmas[k], sigmas[k + 1]];
    const { denoised, phi } = await denoise(x, sigma);
    const ratio = (next / sigma) ** 2;
    x = combined(1 - ratio, denoised, ratio, x);
    if (next > 0) x = combined(1, x, next * Math.sqrt(1 - ratio), noise());
    yield { index: k + 1, sigma, x, denoised, phi, evaluations: k + 1 };
  }
}

/** @type {Record<string, Sampler>} by the names in links */
export const SAMPLERS = { dpm2m: dpmSolver2m, heun, ancestral };
