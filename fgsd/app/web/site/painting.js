// Painting in the worker: another target in each region of a picture, as Python's `fgsd.painting` and
// `fgsd.app.serving.painting`.
import { imageNoise } from "./noise.js";
import { sheetUri } from "./pictures.js";
import { regionMasks } from "./regions.js";
import { SAMPLERS, karrasSchedule } from "./sampler.js";

/** @typedef {import("./paint_request.js").PaintRequest} PaintRequest */
/** @typedef {import("./centroids.js").Centroid} Centroid */
/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * The noise levels of a painting, and which network takes the steps. What follows the hand is painted by the
 * student where there is one: in two evaluations it comes as near to the finished picture as the network does
 * in four.
 *
 * @param {import("./worker.js").Config} config
 * @param {boolean} isPreview
 * @returns {{ kind: import("./network.js").Kind, schedule: number[] }}
 */
export function stepsOf({ paint, sigmaMin, sigmaMax, studentSigmas, preview }, isPreview) {
  if (!isPreview) return { kind: "network", schedule: karrasSchedule(paint.steps, sigmaMin, sigmaMax) };
  if (studentSigmas) return { kind: "student", schedule: [...studentSigmas, 0] };
  return { kind: "network", schedule: karrasSchedule(paint.previewSteps, sigmaMin, preview.sigmaMax) };
}

/**
 * Noise over the mean colours of the regions.
 *
 * @param {Float32Array} noise (3, size, size)
 * @param {number} sigma
 * @param {number[][]} colours
 * @param {Float32Array} masks
 */
function started(noise, sigma, colours, masks) {
  const area = noise.length / 3;
  return noise.map((value, p) => {
    const channel = Math.floor(p / area);
    const colour = colours.reduce((sum, one, k) => sum + masks[k * area + (p % area)] * one[channel], 0);
    return sigma * value + colour;
  });
}

/**
 * @param {Float32Array} values
 * @param {number} count
 * @returns {Float32Array[]} rows
 */
const rowsOf = (values, count) =>
  Array.from({ length: count }, (_, k) =>
    values.subarray((k * values.length) / count, ((k + 1) * values.length) / count),
  );

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Paint, and yield each step as a frame; of a preview the last one.
 *
 * @param {import("./worker.js").Sampling} sampling
 * @param {PaintRequest} request
 * @param {boolean} isPreview
 * @param {() => Promise<boolean>} isNewest asked before each step; lets messages in
 * @returns {AsyncGenerator<Frame>}
 */
export async function* paintFrames(sampling, request, isPreview, isNewest) {
  const { size, tileable, numbers } = request;
  const { kind, schedule } = stepsOf(sampling.config, isPreview);
  const centroids = await sampling.centroids();
  const targets = request.targets.map((parts) => centroids.mixture(parts));
  const count = targets.length;
  await sampling.network.load(kind, tileable, count > 1);
  if (!(await isNewest())) return;
  const masks = regionMasks(request.plan, numbers, size, request);
  const options = { size, strength: 1, tileable, masks: count > 1 ? masks : undefined };
  const goals = (/** @type {number} */ sigma) => targets.map((target) => centroids.at(target, sigma));
  const denoise = (/** @type {Float32Array} */ x, /** @type {number} */ sigma) => {
    const all = goals(sigma).flatMap((goal) => [...goal]);
    return sampling.network.evaluate(kind, x, sigma, Float32Array.from(all), options);
  };
  const noise = imageNoise(request.seed, size);
  const x = started(
    noise(),
    schedule[0],
    targets.map(({ colour }) => colour),
    masks,
  );
  const run = SAMPLERS.dpm2m(denoise, x, schedule, noise);
  const steps = schedule.length - 1;
  let busy = 0;
  for (let index = 1; index <= steps; index += 1) {
    const began = performance.now();
    if (!(await isNewest())) return;
    const step = /** @type {import("./sampler.js").Step} */ ((await run.next()).value);
    busy += performance.now() - began;
    const last = index === steps;
    if (isPreview && !last) continue;
    const { sigma, denoised, evaluations } = step;
    const found = goals(sigma).map((goal, k) =>
      centroids.distanceAt(rowsOf(step.phi, count)[k], goal, sigma),
    );
    const [{ relative }] = found;
    yield {
      ...{ index, steps, last, sigma, evaluations, size, tileable, side: size, n: 1, columns: 1 },
      ms: busy / index,
      src: await sheetUri([step.x], size),
      estimate: step.x === denoised ? null : await sheetUri([denoised], size),
      distance: mean(found.map(({ distance }) => distance)),
      relative_distance: relative === null ? null : mean(found.map((one) => one.relative ?? 0)),
      device: sampling.device(count > 1 ? "wasm" : undefined),
      label: `a painting with ${count} ${count === 1 ? "texture" : "textures"}`,
      ...{ name: `painting-seed-${request.seed}`, query: "", path: null },
    };
  }
}

/**
 * For each colour the class whose mean colour is nearest, of those that no colour before has.
 *
 * @param {import("./centroids.js").Centroids} centroids
 * @param {number[][]} colours in [-1, 1]
 * @returns {string[]}
 */
export function texturesOfColours({ classes, arrays }, colours) {
  const free = classes.map((name, row) => ({ name, own: arrays.colours.subarray(3 * row, 3 * row + 3) }));
  return colours.map((colour) => {
    const far = free.map(({ own }) => colour.reduce((sum, value, k) => sum + (value - own[k]) ** 2, 0));
    return free.splice(far.indexOf(Math.min(...far)), 1)[0].name;
  });
}
