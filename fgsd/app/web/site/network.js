// The network in the browser: ONNX Runtime evaluates the graph that Python has written.
import { fetchFile, unzipped } from "./files.js";

/** @typedef {import("./files.js").SiteFile} SiteFile */
/** @typedef {"network" | "student"} Kind */

/**
 * @typedef {Object} Files
 * @property {SiteFile} graph
 * @property {SiteFile} tileGraph the same for images that wrap round at the edges
 * @property {SiteFile} [regionsGraph] that of paintings; and of seamless ones
 * @property {SiteFile} [regionsTileGraph]
 * @property {SiteFile} network weights
 * @property {SiteFile | null} student weights of the student, if there is one
 * @property {SiteFile} runtime module of ONNX Runtime
 * @property {SiteFile} threads module of its threads
 * @property {SiteFile} wasm its code, gzipped
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

export class Network {
  /** @type {Map<string, Promise<ArrayBuffer>>} files by name, as they arrive */
  #files = new Map();
  /** @type {Map<string, Promise<any>>} sessions by graph and weights */
  #sessions = new Map();
  /** @type {Promise<any> | null} */
  #runtime = null;
  #inTurn = createQueue();

  /**
   * @param {string} base address of the site's folder
   * @param {Files} files
   * @param {number} threads
   * @param {(bytes: number) => void} arrived called with each part of a file
   */
  constructor(base, files, threads, arrived) {
    this.base = base;
    this.files = files;
    this.threads = threads;
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
    const { runtime: module, threads } = this.files;
    // the modules too, so that the browser keeps them for when it is offline
    const [wasm] = await Promise.all([this.files.wasm, module, threads].map((file) => this.file(file)));
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
   * @returns {Promise<any>} the session, loaded once
   */
  load(kind, tileable = false, regions = false) {
    const key = `${kind} ${tileable} ${regions}`;
    const known = this.#sessions.get(key);
    if (known) return known;
    const session = this.#create(kind, this.#graph(tileable, regions));
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

  /** @param {Kind} kind @param {SiteFile} graph */
  async #create(kind, graph) {
    const weights = /** @type {SiteFile} */ (this.files[kind]);
    const [runtime, ...contents] = await Promise.all([this.#start(), this.file(graph), this.file(weights)]);
    const [model, data] = contents.map((content) => new Uint8Array(content));
    const externalData = [{ path: WEIGHTS, data }];
    return this.#inTurn(() =>
      runtime.InferenceSession.create(model, { executionProviders: ["wasm"], externalData }),
    );
  }

  /**
   * Evaluate the network for one image.
   *
   * @param {Kind} kind
   * @param {Float32Array} x (3, size, size)
   * @param {number} sigma
   * @param {Float32Array} centroid of each region one after the other, if there are masks
   * @param {{ size: number, strength: number, tileable?: boolean, masks?: Float32Array }} options `masks`
   *  (R, size, size) of regions
   * @returns {Promise<{ denoised: Float32Array, phi: Float32Array }>}
   */
  async evaluate(kind, x, sigma, centroid, { size, strength, tileable = false, masks }) {
    const session = await this.load(kind, tileable, Boolean(masks));
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
    const { denoised, phi } = await this.#inTurn(() => session.run(inputs));
    return { denoised: denoised.data, phi: phi.data };
  }

  /**
   * Milliseconds of an evaluation of one image: the least of a few, since browsers compile the code better
   * while it runs.
   *
   * @param {Kind} kind
   * @param {number} size
   * @param {number} dimension of a feature vector
   */
  async measure(kind, size, dimension) {
    const [x, centroid] = [new Float32Array(3 * size * size), new Float32Array(dimension)];
    const options = { size, strength: 0 };
    const times = [];
    for (let k = 0; k < MEASURED; k += 1) {
      const began = performance.now();
      await this.evaluate(kind, x, 1, centroid, options);
      times.push(performance.now() - began);
    }
    return Math.min(...times);
  }
}
