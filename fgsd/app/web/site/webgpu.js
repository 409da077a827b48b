// Whether WebGPU samples: only if it makes the pixels that WASM makes, and is faster.
import { imageNoise } from "./noise.js";
import { difference, pixelsOf } from "./pictures.js";
import { SAMPLERS } from "./sampler.js";

/** @typedef {import("./centroids.js").Centroids} Centroids */
/** @typedef {import("./network.js").Kind} Kind */
/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Provider} Provider */

export const MAX_DIFFERENCE = 2; // grey levels between two ways to make the same picture
const MAX_SHARE = 1; // of the time of WASM, that WebGPU may take
const MAX_SIDE = 128; // of the pictures by which both are measured, in pixels
const MEASURED = 3; // evaluations by each

/**
 * @typedef {Object} Preview
 * @property {Kind} kind
 * @property {number[]} schedule of a preview
 * @property {string} name of a class
 * @property {number[]} sizes that are offered, the smallest first
 */

/**
 * The pixels of a preview.
 *
 * @param {Network} network
 * @param {Centroids} centroids
 * @param {Preview} preview
 * @param {Provider} provider
 */
async function pixelsBy(network, centroids, { kind, schedule, name, sizes }, provider) {
  const [size] = sizes;
  const target = centroids.mixture([{ name, weight: 1 }]);
  const colour = centroids.startColour(target, 1);
  const noise = imageNoise(0, size, size, 0);
  const x = noise().map((value, p) => schedule[0] * value + colour[Math.floor(p / (size * size))]);
  /** @type {import("./sampler.js").Denoise} */
  const denoise = (image, sigma) =>
    network.evaluate(kind, image, sigma, centroids.at(target, sigma), { size, strength: 1, provider });
  /** @type {Float32Array} */
  let sample = x;
  for await (const step of SAMPLERS.dpm2m(denoise, x, schedule, noise)) sample = step.x;
  return { width: size, height: size, data: pixelsOf(sample, size) };
}

/**
 * Let WebGPU and WASM make the same picture, and measure both.
 *
 * @param {Network} network loaded with WebGPU
 * @param {Centroids} centroids
 * @param {Preview} preview
 * @returns {Promise<{ msPerPixel: number, refused: string }>} of an evaluation by WebGPU, and why it is not
 *  to be used, which is empty if it is
 */
export async function tryWebGpu(network, centroids, preview) {
  const [gpu, wasm] = [
    await pixelsBy(network, centroids, preview, "webgpu"),
    await pixelsBy(network, centroids, preview, "wasm"),
  ];
  const found = difference(gpu, wasm);
  if (found > MAX_DIFFERENCE) return { msPerPixel: 0, refused: `its pixels differ by ${found} of 255` };
  const side = preview.sizes.filter((size) => size <= MAX_SIDE).at(-1) ?? preview.sizes[0];
  const ms = (/** @type {Provider} */ provider) =>
    network.measure(preview.kind, side, centroids.dimension, { provider, count: MEASURED });
  const [gpuMs, wasmMs] = [await ms("webgpu"), await ms("wasm")];
  const words = [gpuMs, wasmMs].map((value) => `${value.toFixed(1)} ms`);
  const refused = gpuMs > MAX_SHARE * wasmMs ? `it takes ${words[0]}, WASM ${words[1]}` : "";
  return { msPerPixel: gpuMs / side ** 2, refused };
}
