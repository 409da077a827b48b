// Calls to the worker. It is started with the first call.

import { chooseRuntime } from "./runtimes.js";

/** @typedef {import("./runtimes.js").Runtime} Runtime */
/** @typedef {import("./worker.js").Config} Config */
/** @typedef {import("../shared/run.js").Frame} Frame */

/** @typedef {{ method: string, values: unknown[], resolve: (value: any) => void,
 *   reject: (error: Error) => void, send: (frame: Frame) => void }} Call */

const MAX_THREADS = 4;

/**
 * Threads that the network is evaluated with: half of what the browser names as processors, which are mostly
 * two for each core, since threads on a busy core wait for each other; but two of two.
 *
 * @param {boolean} isolated whether the page is isolated from others, which browsers require
 * @param {number} processors
 */
export function threadCount(isolated, processors) {
  return isolated ? Math.min(MAX_THREADS, processors, Math.max(2, Math.floor(processors / 2))) : 1;
}

export class Client {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Map<number, Call>} by id */
  #calls = new Map();
  #id = 0;
  /** @type {Runtime} */
  #runtime = "wasm";
  #gpuFailed = false;

  /**
   * @param {string} address of the worker's script
   * @param {Config} config
   * @param {(bytes: number) => void} arrived called with each part of a file that the worker loads
   */
  constructor(address, config, arrived) {
    this.address = new URL(address, document.baseURI).href;
    this.config = config;
    this.arrived = arrived;
  }

  /** Choose the runtime, before the first call; by default it is that without WebGPU. */
  async choose() {
    this.#runtime = await chooseRuntime();
    return this.#runtime;
  }

  #start() {
    const worker = new Worker(this.address, { type: "module" });
    worker.onmessage = ({ data }) => worker === this.#worker && this.#receive(data);
    worker.onerror = () => this.#fail("The part of this site that samples could not be started.");
    const base = new URL(".", document.baseURI).href;
    const threads = threadCount(window.crossOriginIsolated, navigator.hardwareConcurrency);
    const webgpu = this.#runtime !== "wasm" && !this.#gpuFailed;
    const machine = { threads, runtime: this.#runtime, webgpu };
    worker.postMessage({ config: this.config, base, machine });
    return worker;
  }

  /** A new worker does without WebGPU what has not been answered. @param {string} reason */
  #restart(reason) {
    console.warn("WebGPU has failed:", reason);
    this.#worker?.terminate();
    this.#gpuFailed = true;
    this.#worker = this.#start();
    for (const [id, { method, values }] of this.#calls) this.#worker.postMessage({ id, method, values });
  }

  /**
   * @param {{ id: number, arrived?: number, frame?: Frame, value?: any, error?: string,
   *   gpuFailed?: string }} message
   */
  #receive({ id, arrived, frame, value, error, gpuFailed }) {
    if (arrived !== undefined) return this.arrived(arrived);
    if (gpuFailed !== undefined) return this.#restart(gpuFailed);
    const call = this.#calls.get(id);
    if (!call) return undefined;
    if (frame) return call.send(frame);
    this.#calls.delete(id);
    return error === undefined ? call.resolve(value) : call.reject(new Error(error));
  }

  /** @param {string} sentence */
  #fail(sentence) {
    for (const { reject } of this.#calls.values()) reject(new Error(sentence));
    this.#calls.clear();
    this.#worker = null;
  }

  /**
   * Call a method of the worker.
   *
   * @param {string} method
   * @param {unknown[]} [values]
   * @param {(frame: Frame) => void} [send] called with each frame of a run
   * @returns {Promise<any>}
   */
  call(method, values = [], send = () => undefined) {
    this.#worker ??= this.#start();
    this.#id += 1;
    const id = this.#id;
    this.#worker.postMessage({ id, method, values });
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { method, values, resolve, reject, send });
    });
  }

  /** End the worker, whatever it does. */
  end() {
    this.#worker?.terminate();
    this.#fail("The worker was ended.");
  }

  /** End what is being sampled, if the worker runs. */
  cancel() {
    if (this.#worker) void this.call("cancel");
  }
}
