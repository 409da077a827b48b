import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { threadCount } from "../../fgsd/app/web/site/client.js";
import { fittingSize } from "../../fgsd/app/web/site/index.js";
import { pixelsOf } from "../../fgsd/app/web/site/pictures.js";
import { previewPart } from "../../fgsd/app/web/site/preview_part.js";
import { openLink, parseRequest } from "../../fgsd/app/web/site/request.js";

const BOUNDS = {
  classes: ["lava", "moss"],
  counts: [1, 4],
  sizes: [64, 96, 128],
  samplers: ["dpm2m", "heun"],
  maxClasses: 8,
  maxMove: 2,
  maxSeed: 2 ** 31 - 1,
  maxSteps: 100,
  maxStrength: 2,
};
const SETTINGS = {
  ...{ n: 1, size: 64, seed: 0, steps: 16, strength: 1 },
  ...{ sampler: "dpm2m", view: "noise", tileable: false },
};

test("a request has weights in millionths, and a link that gives it again", () => {
  const target = [
    { name: "lava", weight: 1, move: [0.12345, 0] },
    { name: "moss", weight: 2 },
  ];
  const request = parseRequest(target, SETTINGS, BOUNDS);
  assert.deepEqual(request.parts, [
    { name: "lava", weight: 0.333333, move: [0.1235, 0] },
    { name: "moss", weight: 0.666667 },
  ]);
  assert.equal(request.label, "33% lava, 67% moss");
  assert.equal(request.name, "moss-lava-seed-0");
  const opened = openLink(request.link, SETTINGS);
  assert.deepEqual(parseRequest(opened.target, opened.settings, BOUNDS), request);
});

test("what an address may hold is refused with a sentence", () => {
  const cases = [
    [[], SETTINGS, /at least one texture/],
    [[{ name: "tar", weight: 1 }], SETTINGS, /no texture named tar/],
    [[{ name: "lava", weight: NaN }], SETTINGS, /weight of lava/],
    [[{ name: "lava", weight: 0 }], SETTINGS, /above 0/],
    [Array(2).fill({ name: "lava", weight: 1 }), SETTINGS, /came twice/],
    [[{ name: "lava", weight: 1, move: [3, 0] }], SETTINGS, /move of lava/],
    [[{ name: "lava", weight: 1 }], { ...SETTINGS, size: 4096 }, /Size must be 64 or 96 or 128/],
    [[{ name: "lava", weight: 1 }], { ...SETTINGS, seed: 1.5 }, /Seed must be a whole number/],
    [[{ name: "lava", weight: 1 }], { ...SETTINGS, n: 16 }, /Images must be 1 or 4/],
    [[{ name: "lava", weight: 1 }], { ...SETTINGS, sampler: "ascent" }, /Sampler must be dpm2m or heun/],
  ];
  for (const [target, settings, sentence] of cases) {
    assert.throws(() => parseRequest(target, settings, BOUNDS), sentence);
  }
  assert.throws(() => openLink("?mix=lava:1.0&mode=strip", SETTINGS), /need the page that a server/);
  assert.equal(openLink("?show=pca-3", SETTINGS), null);
});

test("a preview is as much of the picture as the browser samples in time", () => {
  const device = { steps: 2, sizes: [64, 96, 128], multiple: 8 };
  const slow = { ...device, secondsPerPixel: 0.1 / (2 * 64 ** 2) };
  assert.deepEqual(previewPart({ n: 4, size: 128 }, slow, false), {
    ...{ n: 1, size: 64 },
    finished: { n: 4, columns: 2, size: 128, corner: 32 },
  });
  assert.equal(previewPart({ n: 1, size: 64 }, slow, false).size, 64);
  assert.equal(previewPart({ n: 1, size: 128 }, { ...slow, secondsPerPixel: 1 }, true), null);
  assert.equal(previewPart({ n: 1, size: 128 }, slow, true).size, 128);
  const quick = { ...device, secondsPerPixel: 1e-9 };
  assert.deepEqual(previewPart({ n: 4, size: 128 }, quick, false).n, 4);
});

test("the first size is what the browser samples in three seconds", () => {
  assert.equal(fittingSize([64, 96, 128], 3000 / (16 * 100 ** 2)), 96);
  assert.equal(fittingSize([64, 96, 128], 1), 64);
});

test("threads are used where the page is isolated, one for each core", () => {
  assert.equal(threadCount(false, 16), 1);
  const counts = [1, 2, 4, 8, 16].map((processors) => threadCount(true, processors));
  assert.deepEqual(counts, [1, 2, 2, 4, 4]);
});

test("pixels are rounded as in Python, to even", () => {
  const image = Float32Array.from([-2, 2, 0.5 / 127.5 - 1].flatMap((value) => [value]));
  assert.deepEqual([...pixelsOf(image, 1)], [0, 255, 0, 255]);
});
