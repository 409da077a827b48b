// The builds of ONNX Runtime: which of them this browser loads.

/** @typedef {import("./files.js").SiteFile} SiteFile */
/** @typedef {import("./network.js").Files} Files */

/**
 * "wasm" has no WebGPU; the others have WASM too, as fast as the first. "asyncify" is for browsers whose
 * WebAssembly cannot wait for promises, and larger.
 *
 * @typedef {"wasm" | "jspi" | "asyncify"} Runtime
 */

/**
 * @typedef {Object} RuntimeFiles
 * @property {SiteFile} module
 * @property {SiteFile} threads module of its threads
 * @property {SiteFile} code gzipped
 */

const MAX_ADAPTER_MS = 5000; // until the browser has named its graphics processor

/** @returns {Promise<any>} the graphics processor for WebGPU; null if there is none */
async function requestAdapter() {
  const { gpu } = /** @type {any} */ (navigator);
  if (!gpu) return null;
  const late = new Promise((resolve) => setTimeout(resolve, MAX_ADAPTER_MS, null));
  return Promise.race([gpu.requestAdapter(), late]).catch(() => null);
}

/**
 * Choose the build that this browser loads: one with WebGPU where there is a graphics processor for it, which
 * a program that does its work is not.
 *
 * @returns {Promise<Runtime>}
 */
export async function chooseRuntime() {
  const adapter = await requestAdapter();
  if (!adapter || (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) return "wasm";
  return "Suspending" in WebAssembly ? "jspi" : "asyncify";
}

/**
 * The files that are loaded with a build of the runtime.
 *
 * @param {Files} files
 * @param {Runtime} runtime
 * @returns {SiteFile[]}
 */
export function filesWith({ runtimes, ...others }, runtime) {
  const all = [...Object.values(others), ...Object.values(runtimes[runtime])];
  return /** @type {SiteFile[]} */ (all.filter((file) => file !== null));
}
