// Previews of the app that the visitor's own machine makes: the app's page loads this with `fgsd app --site`,
// after the first drag.
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
 *   reference: { target: unknown, settings: unknown[], part: Part, src: string } }} Config as Python's
 *  `fgsd.app.site.served` writes it; `reference` is a preview that the server has made
 */

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

/**
 * @param {Config} config
 * @param {(share: number) => void} progress called with the share of the files that has arrived
 */
export function createPreviews(config, progress) {
  let total = Infinity;
  let loaded = 0;
  const client = new Client(config.worker, config, (bytes) => {
    loaded += bytes;
    progress(Math.min(1, loaded / total));
  });

  /**
   * What the worker is asked for; null if the server has to make it.
   *
   * @param {unknown} target
   * @param {unknown[]} values of the controls
   * @returns {Request | null}
   */
  function requestOf(target, values) {
    const settings = Object.fromEntries(config.settings.map((name, k) => [name, values[k]]));
    if (settings.strength !== 1 || settings.tileable) return null;
    try {
      return parseRequest(target, /** @type {any} */ (settings), config);
    } catch {
      return null; // such as a texture of the visitor; or the server says what is wrong
    }
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

  /** Load all that previews need. @throws {Error} if that fails, or pixels differ from the server's */
  async function load() {
    const runtime = await client.choose();
    const { graph, arrays, student, network } = config.files;
    total = totalBytes([...Object.values(config.files.runtimes[runtime]), graph, arrays, student ?? network]);
    const { refused } = await client.call("loadPreviews");
    if (refused) console.info("WebGPU is not used:", refused);
    const { target, settings, part, src } = config.reference;
    const request = requestOf(target, settings);
    const answer = request && (await preview(request, part, false));
    if (!answer?.frame) throw new Error("the worker made no picture");
    const found = difference(await pixels(answer.frame.src), await pixels(src));
    if (found > MAX_DIFFERENCE) throw new Error(`pixels differ from the server's by ${found} of 255`);
    const kept = filesWith(config.files, runtime).map(({ name }) => name);
    await forgetOthers(kept).catch(() => undefined);
  }

  return { load, requestOf, preview, end: () => client.end() };
}
