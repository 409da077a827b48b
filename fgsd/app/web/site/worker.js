// The worker: it samples, so that the page stays free for the hand. The newest request ends the one before.
import { decodeArrays } from "./arrays.js";
import { Centroids } from "./centroids.js";
import { Landmarks } from "./landmarks.js";
import { GpuError, Network } from "./network.js";
import { imageNoise } from "./noise.js";
import { paintFrames, texturesOfColours } from "./painting.js";
import { columnsOf, sheetUri } from "./pictures.js";
import { previewPart } from "./preview_part.js";
import { SAMPLERS, karrasSchedule } from "./sampler.js";
import { tryWebGpu } from "./webgpu.js";

/** @typedef {import("./request.js").Request} Request */
/** @typedef {import("./sampler.js").Step} Step */
/** @typedef {import("./network.js").Kind} Kind */
/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * @typedef {Object} Config of the site, as Python's `fgsd.app.site` writes it
 * @property {string[]} classes
 * @property {number[]} sigmas of the table
 * @property {number[]} spacing distance between classes at these
 * @property {number[]} sizes
 * @property {number} multiple
 * @property {number} sigmaMin
 * @property {number} sigmaMax
 * @property {number[] | null} studentSigmas
 * @property {{ steps: number, sigmaMax: number }} preview without a student
 * @property {{ steps: number, previewSteps: number }} paint `previewSteps` without a student
 * @property {import("./network.js").Files} files
 * @property {Record<string, import("./arrays.js").ArrayPlace>} arrays
 * @property {Record<string, import("./arrays.js").ArrayPlace>} umapArrays
 */

/**
 * What is sampled, and by which network.
 *
 * @typedef {Object} Job
 * @property {Kind} kind
 * @property {number[]} schedule noise levels, ending in 0
 * @property {number} n
 * @property {number} size
 * @property {number} drawn side of the pictures whose noise it has
 * @property {number} corner
 */

/** @typedef {{ threads: number, runtime: import("./runtimes.js").Runtime, webgpu: boolean }} Machine */
/** @typedef {{ msPerPixel: number, refused: string }} Measured of an evaluation; why WebGPU is not used */

const FREE_MS = 250; // pause before what only gets ready: what the visitor asked for comes first

/** Let messages in that have arrived meanwhile. @returns {Promise<void>} */
function nextMessages() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

export class Sampling {
  /** @type {Promise<Centroids> | null} */
  #centroids = null;
  /** @type {Landmarks | null} */
  #landmarks = null;
  #newest = 0; // id of the request that counts
  /** @type {Promise<Measured> | null} */
  #measured = null;

  /**
   * @param {Config} config
   * @param {string} base
   * @param {Machine} machine
   * @param {(bytes: number) => void} arrived
   */
  constructor(config, base, machine, arrived) {
    this.config = config;
    this.network = new Network(base, config.files, machine, arrived);
    this.threads = machine.threads;
  }

  /** @returns {Promise<Centroids>} */
  centroids() {
    this.#centroids ??= this.network
      .file(this.config.files.arrays)
      .then((content) => new Centroids(this.config, decodeArrays(content, this.config.arrays)));
    this.#centroids.catch(() => (this.#centroids = null));
    return this.#centroids;
  }

  /** What computes, for the read-outs. @param {import("./network.js").Provider} [provider] */
  device(provider = this.network.provider) {
    if (provider === "webgpu") return "browser, WebGPU";
    return this.threads > 1 ? `browser, ${this.threads} threads` : "browser";
  }

  /** The kind of network that makes previews. @returns {Kind} */
  get quick() {
    return this.config.studentSigmas ? "student" : "network";
  }

  /** The noise levels of a preview. @param {boolean} byStudent */
  #previewSchedule(byStudent) {
    const { studentSigmas, preview, sigmaMin } = this.config;
    if (byStudent && studentSigmas) return [...studentSigmas, 0];
    return karrasSchedule(preview.steps, sigmaMin, preview.sigmaMax);
  }

  /** Load what previews need, and measure it. @returns {Promise<Measured>} */
  loadPreviews() {
    this.#measured ??= this.#measure();
    this.#measured.catch(() => (this.#measured = null));
    return this.#measured;
  }

  /** @returns {Promise<Measured>} */
  async #measure() {
    const { network, quick, config } = this;
    const centroids = await this.centroids();
    let refused = "";
    if (network.provider === "webgpu") {
      const preview = {
        kind: quick,
        schedule: this.#previewSchedule(quick === "student"),
        name: config.classes[0],
        sizes: config.sizes,
      };
      const found = await tryWebGpu(network, centroids, preview);
      await network.use(found.refused ? "wasm" : "webgpu");
      if (!found.refused) return found;
      ({ refused } = found);
    }
    const [side] = config.sizes;
    const ms = await network.measure(quick, side, centroids.dimension);
    return { msPerPixel: ms / side ** 2, refused };
  }

  /** Load what runs need: the network, and where their paths lie on the map of UMAP. */
  async loadRuns() {
    const { files, umapArrays, sigmas } = this.config;
    const landmarks = files.umap && this.network.file(files.umap);
    const later = [files.tileGraph, files.regionsGraph, files.regionsTileGraph].flatMap((one) => one ?? []);
    await Promise.all([this.network.load("network"), ...later.map((one) => this.network.file(one))]);
    if (!landmarks) return;
    const { arrays } = await this.centroids();
    this.#landmarks ??= new Landmarks(sigmas, arrays, decodeArrays(await landmarks, umapArrays));
  }

  /** The class nearest to a target. @param {Request} request */
  async nearest(request) {
    const centroids = await this.centroids();
    return centroids.nearest(centroids.mixture(request.parts));
  }

  /** End the request that is under way. @param {number} id */
  cancel(id) {
    this.#newest = id;
  }

  /**
   * Sample, and send each step as a frame.
   *
   * @param {number} id
   * @param {Request} request
   * @param {(frame: Frame) => void} send
   * @returns {Promise<{ cancelled: boolean }>}
   */
  async sample(id, request, send) {
    this.#newest = id;
    const { sigmaMin, sigmaMax } = this.config;
    const schedule = karrasSchedule(request.steps, sigmaMin, sigmaMax);
    const { n, size } = request;
    /** @type {Job} */
    const job = { kind: "network", schedule, n, size, drawn: size, corner: 0 };
    for await (const frame of this.#frames(id, request, job)) send(frame);
    return { cancelled: id !== this.#newest };
  }

  /**
   * Paint, and send each step as a frame; of a picture that follows the hand the last one.
   *
   * @param {number} id
   * @param {import("./paint_request.js").PaintRequest} request
   * @param {boolean} isPreview
   * @param {(frame: Frame) => void} send
   * @returns {Promise<{ cancelled: boolean }>}
   */
  async paint(id, request, isPreview, send) {
    this.#newest = id;
    const isNewest = async () => {
      await nextMessages();
      return id === this.#newest;
    };
    for await (const frame of paintFrames(this, request, isPreview, isNewest)) {
      if (id === this.#newest) send(frame);
    }
    return { cancelled: id !== this.#newest };
  }

  /**
   * Sample a picture that follows the hand; the class nearest to its target comes with it.
   *
   * @param {number} id
   * @param {Request} request of the finished pictures
   * @param {boolean} whole whether the hand rests
   * @param {ReturnType<typeof previewPart>} [limit] the part to show, where that is sampled in time
   * @returns {Promise<{ frame?: Frame, nearest?: import("../shared/events.js").Nearest }>} no frame if a
   *  later request has come
   */
  async preview(id, request, whole, limit) {
    this.#newest = id;
    const { config } = this;
    const byStudent = Boolean(config.studentSigmas) && request.strength === 1;
    const nearest = whole ? undefined : await this.nearest(request);
    const schedule = this.#previewSchedule(byStudent);
    const { msPerPixel } = await this.loadPreviews();
    const device = {
      steps: schedule.length - 1,
      secondsPerPixel: msPerPixel / 1000,
      sizes: config.sizes,
      multiple: config.multiple,
    };
    const own = previewPart(request, device, whole);
    if (!own) return {};
    const part = limit && limit.n * limit.size ** 2 <= own.n * own.size ** 2 ? limit : own;
    const { n, size, finished } = part;
    const tileable = request.tileable && size === request.size; // the centre of a tile is none
    /** @type {Job} */
    const job = {
      kind: byStudent ? "student" : "network",
      ...{ schedule, n, size, drawn: request.size, corner: finished.corner },
    };
    const settings = { ...request, tileable, sampler: "dpm2m" };
    for await (const frame of this.#frames(id, settings, job, true)) {
      return { frame: { ...frame, finished }, nearest };
    }
    return { nearest };
  }

  /**
   * @param {number} id
   * @param {Request} request
   * @param {Job} job
   * @param {boolean} [lastOnly]
   * @returns {AsyncGenerator<Frame>}
   */
  async *#frames(id, request, { kind, schedule, n, size, drawn, corner }, lastOnly = false) {
    const centroids = await this.centroids();
    const target = centroids.mixture(request.parts);
    const { strength, tileable } = request;
    const colour = centroids.startColour(target, strength);
    await this.network.load(kind, tileable);
    const denoise = (/** @type {Float32Array} */ x, /** @type {number} */ sigma) =>
      this.network.evaluate(kind, x, sigma, centroids.at(target, sigma), { size, strength, tileable });
    const runs = Array.from({ length: n }, (_, k) => {
      const noise = imageNoise(request.seed + k, size, drawn, corner);
      const area = size * size;
      const x = noise().map((value, p) => schedule[0] * value + colour[Math.floor(p / area)]);
      return SAMPLERS[request.sampler](denoise, x, schedule, noise);
    });
    const steps = schedule.length - 1;
    let busy = 0;
    for (let index = 1; index <= steps; index += 1) {
      const began = performance.now();
      /** @type {Step[]} */
      const made = [];
      for (const run of runs) {
        await nextMessages();
        if (id !== this.#newest) return;
        made.push(/** @type {Step} */ ((await run.next()).value));
      }
      busy += performance.now() - began;
      if (index < steps && lastOnly) continue;
      const frame = await this.#frame(request, made, { size, steps, ms: busy / index, target });
      if (id !== this.#newest) return;
      yield frame;
    }
  }

  /**
   * @param {Request} request
   * @param {Step[]} made of each image
   * @param {{ size: number, steps: number, ms: number, target: import("./centroids.js").Centroid }} run
   * @returns {Promise<Frame>} as Python's `fgsd.app.render.frames`
   */
  async #frame(request, made, { size, steps, ms, target }) {
    const centroids = await this.centroids();
    const [{ index, sigma, evaluations }] = made;
    const goal = centroids.at(target, sigma);
    const found = made.map(({ phi }) => centroids.distanceAt(phi, goal, sigma));
    const mean = (/** @type {number[]} */ values) => values.reduce((sum, v) => sum + v, 0) / values.length;
    const last = index === steps;
    const landmarks = this.#landmarks;
    const images = made.map(({ x }) => x);
    const estimates = made.map(({ denoised }) => denoised);
    const same = made.every(({ x, denoised }) => x === denoised);
    return {
      ...{ index, steps, last, sigma, evaluations, ms, size, n: made.length, side: size },
      columns: columnsOf(made.length),
      src: await sheetUri(images, size),
      estimate: same ? null : await sheetUri(estimates, size),
      distance: mean(found.map(({ distance }) => distance)),
      relative_distance: found[0].relative === null ? null : mean(found.map(({ relative }) => relative ?? 0)),
      device: this.device(),
      ...{ label: request.label, name: request.name, tileable: request.tileable, query: request.link },
      path: {
        pca: made.map(({ phi }) => centroids.position(phi, sigma)),
        "pca-3d": made.map(({ phi }) => centroids.positionInSpace(phi, sigma)),
        ...(landmarks && { umap: made.map(({ phi }) => landmarks.position(phi, sigma)) }),
      },
    };
  }
}

/**
 * Answer the messages of the page: the first is { config, base, machine }, each other one { id, method,
 * values }. Answers are { arrived }, { id, frame }, { id, value } or { id, error }; { gpuFailed } says that
 * nothing more will come.
 *
 * @param {{ postMessage: (message: any) => void, onmessage: ((event: MessageEvent) => void) | null }} port
 */
export function serve(port) {
  /** @type {Sampling | null} */
  let sampling = null;
  const arrived = (/** @type {number} */ bytes) => port.postMessage({ arrived: bytes });

  /** @param {Sampling} on @param {number} id @param {string} method @param {any[]} values */
  async function call(on, id, method, values) {
    if (method === "sample") {
      return on.sample(id, values[0], (frame) => port.postMessage({ id, frame }));
    }
    if (method === "paint") {
      return on.paint(id, values[0], values[1], (frame) => port.postMessage({ id, frame }));
    }
    if (method === "texturesOfColours") return texturesOfColours(await on.centroids(), values[0]);
    if (method === "preview") return on.preview(id, values[0], values[1], values[2]);
    if (method === "cancel") return on.cancel(id);
    if (method === "nearest") return on.nearest(values[0]);
    if (method === "loadPreviews") return on.loadPreviews();
    await new Promise((resolve) => setTimeout(resolve, FREE_MS));
    return on.loadRuns();
  }

  port.onmessage = async ({ data }) => {
    if (!sampling) {
      sampling = new Sampling(data.config, data.base, data.machine, arrived);
      return;
    }
    try {
      port.postMessage({ id: data.id, value: await call(sampling, data.id, data.method, data.values) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage(error instanceof GpuError ? { gpuFailed: message } : { id: data.id, error: message });
    }
  };
}
