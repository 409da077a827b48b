import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { stepsOf } from "../../fgsd/app/web/site/painting.js";
import { colourOf, parsePainting } from "../../fgsd/app/web/site/paint_request.js";

const BOUNDS = {
  ...{ classes: ["lava", "moss"], sizes: [8], maxClasses: 8, maxMove: 2, maxSeed: 100 },
  paint: { maxRegions: 3, maxFeather: 256 },
};
const plan = (numbers) => deflateSync(Uint8Array.from({ length: 64 }, numbers)).toString("base64");
const QUERY = {
  plan: plan((_, p) => (p < 20 ? 2 : 0)),
  width: 8,
  targets: [
    [{ name: "lava", weight: 50 }],
    [],
    [
      { name: "moss", weight: 1 },
      { name: "lava", weight: 3 },
    ],
  ],
  ...{ feather: 3, seed: 5, tileable: false, number: 1 },
};

test("a painting has the regions that occur in its plan", async () => {
  const { plan: read, ...request } = await parsePainting(QUERY, BOUNDS);
  assert.equal(read.filter((number) => number === 2).length, 20);
  assert.deepEqual(request, {
    ...{ size: 8, numbers: [0, 2], feather: 3, seed: 5, tileable: false },
    targets: [
      [{ name: "lava", weight: 1 }],
      [
        { name: "moss", weight: 0.25 },
        { name: "lava", weight: 0.75 },
      ],
    ],
  });
});

test("what a plan that was opened may hold is refused with a sentence", async () => {
  const moved = [{ name: "lava", weight: 1, move: "far" }];
  const cases = [
    [{ targets: [] }, /Paint with 1 to 3 textures/],
    [{ targets: Array(4).fill(QUERY.targets[0]) }, /Paint with 1 to 3 textures/],
    [{ targets: [[{ name: "tar", weight: 1 }]], plan: plan(() => 0) }, /no texture named tar/],
    [{ targets: [moved], plan: plan(() => 0) }, /move of lava must be two numbers/],
    [{ targets: QUERY.targets.slice(0, 2) }, /names texture 3, but 2 came/],
    [{ plan: deflateSync(new Uint8Array(63)).toString("base64") }, /63 pixels is no square of 8/],
    [{ width: 9 }, /Size must be 8/],
    [{ feather: -1 }, /Soft edge must be a number from 0 to 256/],
    [{ seed: 0.5 }, /Seed must be a whole number/],
  ];
  for (const [changes, sentence] of cases) {
    await assert.rejects(parsePainting({ ...QUERY, ...changes }, BOUNDS), sentence);
  }
  assert.throws(() => colourOf("red"), /six hexadecimal digits/);
  assert.deepEqual(colourOf("#ff0000"), [1, -1, -1]);
});

test("what follows the hand is painted by the student, where there is one", () => {
  const config = {
    ...{ sigmaMin: 0.02, sigmaMax: 20, studentSigmas: [9, 0.5], preview: { steps: 5, sigmaMax: 10 } },
    paint: { steps: 16, previewSteps: 4 },
  };
  assert.deepEqual(stepsOf(config, true), { kind: "student", schedule: [9, 0.5, 0] });
  const without = stepsOf({ ...config, studentSigmas: null }, true);
  assert.equal(without.kind, "network");
  assert.deepEqual([without.schedule.length, without.schedule.at(-1)], [5, 0]);
  assert.ok(Math.abs(without.schedule[0] - 10) < 1e-9);
  const all = stepsOf(config, false);
  assert.deepEqual([all.kind, all.schedule.length], ["network", 17]);
  assert.ok(Math.abs(all.schedule[0] - 20) < 1e-9);
});
