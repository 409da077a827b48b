// The network in the browser: ONNX Runtime evaluates the graph that Python has written.
import { fetchFile, unzipped } from "./files.js";

/** @typedef {import("./files.js").SiteFile} SiteFile */
/** @typedef {import("./runtimes.js").Runtime} Runtime */
/** @typedef {"network" | "student"} Kind */
/** @typedef {"webgpu" | "wasm"} Provider what evaluates: the graphics processor, or the processor */

/**
 * @typedef {Object} Files
 * @property {SiteFile} graph
 * @property {SiteFile} tileGraph the same for images that wrap round at the edges
 * @property {SiteFile} [regionsGraph] that of paintings; and of seamless ones
 * @property {SiteFile} [regionsTileGraph]
 * @property {SiteFile} network weights
 * @property {SiteFile | null} student weights of the student, if there is one
 * @property {Record<Runtime, import("./runtimes.js").RuntimeFiles>} runtimes of which one is loaded
 * @property {SiteFile} arrays centroids
 * @property {SiteFile | null} umap crops and classes on the map of UMAP, if there is one
 */

const WEIGHTS = "weights.bin"; // as the graph calls its weights
const MEASURED = 6; // evaluations

/** Turns of functions that must not run at the same time. */
function createQueue() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  /** @template T @param {() => Promise<T>} run @returns {Promise<T>} */
  return (run) => {
    const next = last.then(run, run);
    last = next.catch(() => undefined);
    return next;
  };
}

/** The graphics processor has failed. What it was used by may be broken: only a new worker goes on. */
export class GpuError extends Error {}

export class Network {
  /** @type {Map<string, Promise<ArrayBuffer>>} files by name, as they arrive */
  #files = new Map();
  /** @type {Map<string, Promise<any>>} sessions by graph and weights */
  #sessions = new Map();
  /** @type {Promise<any> | null} */
  #runtime = null;
  #lost = ""; // why the graphics processor is gone
  #watched = false; // whether its loss is noticed
  /** Ends what it is doing now. @type {(error: Error) => void} */
  #end = () => undefined;
  #inTurn = createQueue();

  /**
   * @param {string} base address of the site's folder
   * @param {Files} files
   * @param {{ threads: number, runtime: Runtime, webgpu: boolean }} machine
   * @param {(bytes: number) => void} arrived called with each part of a file
   */
  constructor(base, files, { threads, runtime, webgpu }, arrived) {
    this.base = base;
    this.files = files;
    this.threads = threads;
    this.runtime = runtime;
    /** @type {Provider} */
    this.provider = webgpu ? "webgpu" : "wasm";
    this.arrived = arrived;
  }

  /** @param {SiteFile} file @returns {Promise<ArrayBuffer>} */
  file(file) {
    const known = this.#files.get(file.name);
    if (known) return known;
    const content = fetchFile(this.base, file, this.arrived);
    this.#files.set(file.name, content);
    content.catch(() => this.#files.delete(file.name));
    return content;
  }

  /** @returns {Promise<any>} the module of ONNX Runtime */
  #start() {
    this.#runtime ??= this.#import();
    this.#runtime.catch(() => (this.#runtime = null));
    return this.#runtime;
  }

  async #import() {
    const { module, threads, code } = this.files.runtimes[this.runtime];
    // the modules too, so that the browser keeps them for when it is offline
    const [wasm] = await Promise.all([code, module, threads].map((file) => this.file(file)));
    const runtime = await import(new URL(module.name, this.base).href);
    runtime.env.wasm.numThreads = this.threads;
    runtime.env.wasm.wasmPaths = { mjs: new URL(threads.name, this.base).href };
    runtime.env.wasm.wasmBinary = await unzipped(wasm);
    return runtime;
  }

  /**
   * @param {Kind} kind
   * @param {boolean} [tileable]
   * @param {boolean} [regions] whether regions have targets of their own
   * @param {Provider} [provider] regions are left to the processor
   * @returns {Promise<any>} the session, loaded once
   */
  load(kind, tileable = false, regions = false, provider = regions ? "wasm" : this.provider) {
    const key = `${provider} ${kind} ${tileable} ${regions}`;
    const known = this.#sessions.get(key);
    if (known) return known;
    const session = this.#create(kind, this.#graph(tileable, regions), provider);
    this.#sessions.set(key, session);
    session.catch(() => this.#sessions.delete(key));
    return session;
  }

  /** @param {boolean} tileable @param {boolean} regions */
  #graph(tileable, regions) {
    const { graph, tileGraph, regionsGraph, regionsTileGraph } = this.files;
    if (!regions) return tileable ? tileGraph : graph;
    return /** @type {SiteFile} */ (tileable ? regionsTileGraph : regionsGraph);
  }

  /** @param {Kind} kind @param {SiteFile} graph @param {Provider} provider */
  async #create(kind, graph, provider) {
    const weights = /** @type {SiteFile} */ (this.files[kind]);
    const [runtime, ...contents] = await Promise.all([this.#start(), this.file(graph), this.file(weights)]);
    const [model, data] = contents.map((content) => new Uint8Array(content));
    const externalData = [{ path: WEIGHTS, data }];
    const options = { executionProviders: [provider], externalData };
    const create = () => runtime.InferenceSession.create(model, options);
    const session = await this.#inTurn(() => (provider === "webgpu" ? this.#onGpu(create) : create()));
    if (provider === "webgpu" && !this.#watched) {
      this.#watched = true;
      const device = await runtime.env.webgpu.device;
      device.lost.then((/** @type {{ message: string }} */ { message }) => {
        this.#lost = message || "the graphics processor was lost";
        this.#end(new GpuError(this.#lost));
      });
    }
    return session;
  }

  /**
   * @template T
   * @param {() => Promise<T>} run uses the graphics processor, in turn
   * @returns {Promise<T>}
   * @throws {GpuError} if it fails, or never answers since the graphics processor is lost
   */
  #onGpu(run) {
    if (this.#lost) return Promise.reject(new GpuError(this.#lost));
    return new Promise((resolve, reject) => {
      this.#end = reject;
      run().then(resolve, (/** @type {unknown} */ error) =>
        reject(new GpuError(error instanceof Error ? error.message : String(error))),
      );
    });
  }

  /** Evaluate by one provider from now on; sessions of the other are forgotten. @param {Provider} provider */
  async use(provider) {
    this.provider = provider;
    for (const [key, session] of this.#sessions) {
      if (key.startsWith(provider)) continue;
      this.#sessions.delete(key);
      await this.#inTurn(async () => (await session).release());
    }
  }

  /**
   * Evaluate the network for one image.
   *
   * @param {Kind} kind
   * @param {Float32Array} x (3, size, size)
   * @param {number} sigma
   * @param {Float32Array} centroid of each region one after the other, if there are masks
   * @param {{ size: number, strength: number, tileable?: boolean, masks?: Float32Array,
   *  provider?: Provider }} options `masks` (R, size, size) of regions
   * @returns {Promise<{ denoised: Float32Array, phi: Float32Array }>}
   * @throws {GpuError} if the graphics processor has failed
   */
  async evaluate(kind, x, sigma, centroid, { size, strength, tileable = false, masks, provider: wanted }) {
    const provider = masks ? "wasm" : (wanted ?? this.provider);
    const session = await this.load(kind, tileable, Boolean(masks), provider);
    const { Tensor } = await this.#start();
    const tensor = (/** @type {ArrayLike<number>} */ values, /** @type {number[]} */ shape) =>
      new Tensor("float32", Float32Array.from(values), shape);
    const regions = (masks?.length ?? 0) / size ** 2;
    const inputs = {
      x: tensor(x, [1, 3, size, size]),
      sigma: tensor([sigma], [1]),
      centroid: tensor(centroid, regions ? [1, regions, centroid.length / regions] : [1, centroid.length]),
      strength: tensor([strength], [1, 1]),
      ...(masks && { masks: tensor(masks, [1, regions, size, size]) }),
    };
    const run = () => session.run(inputs);
    const { denoised, phi } = await this.#inTurn(() => (provider === "webgpu" ? this.#onGpu(run) : run()));
    return { denoised: denoised.data, phi: phi.data };
  }

  /**
   * Milliseconds of an evaluation of one image: the least of a few, since browsers compile the code better
   * while it runs.
   *
   * @param {Kind} kind
   * @param {number} size
   * @param {number} dimension of a feature vector
   * @param {{ provider?: Provider, count?: number }} [options]
   */
  async measure(kind, size, dimension, { provider = this.provider, count = MEASURED } = {}) {
    const [x, centroid] = [new Float32Array(3 * size * size), new Float32Array(dimension)];
    const options = { size, strength: 0, provider };
    const times = [];
    for (let k = 0; k < count; k += 1) {
      const began = performance.now();
      await this.evaluate(kind, x, 1, centroid, options);
      times.push(performance.now() - began);
    }
    return Math.min(...times);
  }
}
