// Computes what a browser computes on a site without a server, from numbers on the standard input:
// tests/app/test_site_numbers.py compares them with those of Python.
import { readFileSync } from "node:fs";
import { Centroids } from "../../fgsd/app/web/site/centroids.js";
import { decodeHalves } from "../../fgsd/app/web/site/arrays.js";
import { Landmarks } from "../../fgsd/app/web/site/landmarks.js";
import { toPython } from "../../fgsd/app/web/site/python_code.js";
import { imageNoise } from "../../fgsd/app/web/site/noise.js";
import { SAMPLERS, karrasSchedule } from "../../fgsd/app/web/site/sampler.js";

const { noise, halves, table, arrays, umap, parts, sigmas, strength, run, settings } = JSON.parse(
  readFileSync(0, "utf8"),
);

const floats = (named) =>
  Object.fromEntries(Object.entries(named).map(([name, values]) => [name, Float32Array.from(values)]));
const centroids = new Centroids(table, floats(arrays));
const landmarks = new Landmarks(table.sigmas, centroids.arrays, floats(umap));
const target = centroids.mixture(parts);
const [phi] = [centroids.of(table.classes[0])].map((one) => centroids.at(one, run.at));

/** The denoiser of a Gaussian, whose features are its channels' first pixels. */
const denoise = async (x, sigma) => ({ denoised: x.map((value) => value / (1 + sigma ** 2)), phi: x });

const samples = {};
for (const [name, sampler] of Object.entries(SAMPLERS)) {
  const draw = imageNoise(run.seed, run.size);
  const schedule = karrasSchedule(run.steps, run.low, run.high);
  const x = draw().map((value) => schedule[0] * value);
  for await (const step of sampler(denoise, x, schedule, draw)) samples[name] = [...step.x];
}

process.stdout.write(
  JSON.stringify({
    noise: noise.map(({ seed, size, drawn, corner, draws }) => {
      const draw = imageNoise(seed, size, drawn, corner);
      return Array.from({ length: draws }, () => [...draw()]);
    }),
    halves: [...decodeHalves(Uint16Array.from(halves))],
    mixture: [...target.values],
    colour: target.colour,
    start: centroids.startColour(target, strength),
    levels: sigmas.map((sigma) => [...centroids.at(target, sigma)]),
    nearest: centroids.nearest(target),
    distance: centroids.distanceAt(phi, centroids.at(target, run.at), run.at),
    positions: sigmas.map((sigma) => centroids.position(centroids.at(target, sigma), sigma)),
    space: sigmas.map((sigma) => centroids.positionInSpace(centroids.at(target, sigma), sigma)),
    umap: sigmas.map((sigma) => landmarks.position(centroids.at(target, sigma), sigma)),
    samples,
    python: toPython({ parts, ...settings }, "checkpoints/mine"),
  }),
);
