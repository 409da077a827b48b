// Previews and runs of the app that the visitor's own machine makes: the app's page loads this with
// `fgsd app --site`, after the first drag.
import { Client } from "./client.js";
import { cacheName, totalBytes } from "./files.js";
import { difference } from "./pictures.js";
import { parseRequest } from "./request.js";
import { filesWith } from "./runtimes.js";
import { MAX_DIFFERENCE } from "./webgpu.js";

/** @typedef {import("./request.js").Request} Request */
/** @typedef {import("./request.js").Settings} Settings */
/** @typedef {{ n: number, size: number, finished: import("../shared/run.js").Finished }} Part of the finished
 *  pictures */

/**
 * @typedef {import("./worker.js").Config & import("./request.js").Bounds & {
 *   settings: string[], worker: string,
 *   reference: Reference & { part: Part }, runReference: Reference }} Config as Python's
 *  `fgsd.app.site.served` writes it, with a preview and a run that the server has made
 */
/** @typedef {{ target: unknown, settings: unknown[], src: string }} Reference what was asked for, and its
 *  picture */
/** @typedef {(share: number) => void} Progress called with the share of the files that has arrived */

const PAUSE_MS = 1000; // before a check that the visitor has interrupted is tried again
const MAX_ANSWER_MS = 20_000; // of a preview: after that the worker counts as broken

/** @param {string} uri data URI of an image @returns {Promise<ImageData>} */
async function pixels(uri) {
  const image = await createImageBitmap(await (await fetch(uri)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

/** Delete what an earlier version of the page has kept. @param {string[]} names of the files of this one */
async function forgetOthers(names) {
  const base = new URL(".", document.baseURI).href;
  const cache = await caches.open(cacheName(base));
  const addresses = names.map((name) => new URL(name, base).href);
  for (const { url } of await cache.keys()) if (!addresses.includes(url)) await cache.delete(url);
}

/** @param {Config} config */
export function createPreviews(config) {
  let [loaded, total] = [0, Infinity];
  /** @type {Progress} */
  let progress = () => undefined;
  const client = new Client(config.worker, config, (bytes) => {
    loaded += bytes;
    progress(Math.min(1, loaded / total));
  });
  let msPerPixel = 0; // of an evaluation

  /** @param {import("./files.js").SiteFile[]} files that are loaded now @param {Progress} tell */
  function expect(files, tell) {
    [loaded, total, progress] = [0, totalBytes(files), tell];
  }

  /**
   * The run that the worker is asked for; null if the server has to make it.
   *
   * @param {unknown} target
   * @param {unknown[]} values of the controls
   * @returns {Request | null}
   */
  function runOf(target, values) {
    const settings = Object.fromEntries(config.settings.map((name, k) => [name, values[k]]));
    try {
      return parseRequest(target, /** @type {any} */ (settings), config);
    } catch {
      return null; // such as a texture of the visitor; or the server says what is wrong
    }
  }

  /**
   * The same for a preview.
   *
   * @param {unknown} target
   * @param {unknown[]} values of the controls
   */
  function requestOf(target, values) {
    const request = runOf(target, values);
    return request?.strength === 1 && !request.tileable ? request : null;
  }

  /**
   * @param {Request} request
   * @param {Part | null} part that the server would show; this machine shows less if it takes long
   * @param {boolean} whole whether the hand rests
   * @returns {Promise<any>} as the server's answer; without a frame if a later one was asked for meanwhile,
   *  or the whole takes long
   * @throws {Error} if the worker cannot
   */
  function preview(request, part, whole) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the worker does not answer")), MAX_ANSWER_MS);
      client
        .call("preview", [request, whole, part])
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  /**
   * Sample; a later run or preview ends it.
   *
   * @param {Request} request
   * @param {(frame: import("../shared/run.js").Frame) => void} send called with each step
   * @returns {Promise<{ cancelled: boolean }>}
   * @throws {Error} if the worker cannot
   */
  const sample = (request, send) => client.call("sample", [request], send);

  /** @param {{ src: string } | null | undefined} made @param {Reference} reference */
  async function compare(made, reference) {
    if (!made) throw new Error("the worker made no picture");
    const found = difference(await pixels(made.src), await pixels(reference.src));
    if (found > MAX_DIFFERENCE) throw new Error(`pixels differ from the server's by ${found} of 255`);
  }

  /**
   * Load all that previews need.
   *
   * @param {Progress} tell
   * @throws {Error} if that fails, or pixels differ from the server's
   */
  async function load(tell) {
    const runtime = await client.choose();
    const { runtimes, graph, arrays, student, network } = config.files;
    expect([...Object.values(runtimes[runtime]), graph, arrays, student ?? network], tell);
    const measured = await client.call("loadPreviews");
    if (measured.refused) console.info("WebGPU is not used:", measured.refused);
    ({ msPerPixel } = measured);
    const { target, settings, part } = config.reference;
    const request = requestOf(target, settings);
    const answer = request && (await preview(request, part, false));
    await compare(answer?.frame, config.reference);
    const kept = filesWith(config.files, runtime).map(({ name }) => name);
    await forgetOthers(kept).catch(() => undefined);
  }

  /** Load what runs need beside it. @param {Progress} tell @throws {Error} as `load` */
  async function loadRuns(tell) {
    const { network, student, tileGraph, umap } = config.files;
    expect([...(student ? [network] : []), tileGraph, ...(umap ? [umap] : [])], tell);
    await client.call("loadRuns");
    const request = runOf(config.runReference.target, config.runReference.settings);
    /** @type {import("../shared/run.js").Frame | null} */
    let newest = null;
    while (request && !newest) {
      const keep = (/** @type {import("../shared/run.js").Frame} */ frame) => frame.last && (newest = frame);
      const { cancelled } = await sample(request, keep);
      if (!cancelled) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)); // a preview has ended it
    }
    await compare(newest, config.runReference);
  }

  return {
    ...{ load, loadRuns, requestOf, runOf, preview, sample },
    msPerPixel: () => msPerPixel,
    cancel: () => client.cancel(),
    end: () => client.end(),
  };
}
