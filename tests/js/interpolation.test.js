import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { neighbour } from "../../fgsd/app/web/interpolation/cells.js";
import { sigmaAt, sliderPosition, switchLabel } from "../../fgsd/app/web/interpolation/coarse_fine.js";
import { byPosition, cellCorners, headline } from "../../fgsd/app/web/interpolation/frame.js";
import { readout } from "../../fgsd/app/web/interpolation/index.js";
import { arrivedPosition } from "../../fgsd/app/web/interpolation/loop.js";
import { pictureIndex } from "../../fgsd/app/web/interpolation/strip.js";
import { formatMixture, formatMs } from "../../fgsd/app/web/shared/format.js";

const STOPS = [0.02, 0.1, 0.5, 2, 4];

test("the pictures of a sheet lie in rows", () => {
  const sheet = { src: "a", columns: 2, side: 64, places: [[0], [1], [2]] };
  assert.deepEqual(cellCorners(sheet), [
    [0, 0],
    [64, 0],
    [0, 64],
  ]);
});

test("a picture takes all of its positions, and a later sheet wins", () => {
  const sheets = [
    { src: "a", columns: 2, side: 64, places: [[0, 4], [2]] },
    { src: "b", columns: 1, side: 64, places: [[2]] },
  ];
  const cells = new Map([
    ["a", ["first", "coarse"]],
    ["b", ["fine"]],
  ]);
  assert.deepEqual(byPosition(sheets, cells), ["first", , "fine", , "first"]);
});

test("the headline names the way through the textures", () => {
  const [ends, chosen] = [
    ["brick", "moss"],
    [{}, {}],
  ];
  assert.equal(headline({ mode: "strip", ends, chosen }), "brick → moss");
  assert.equal(headline({ mode: "loop", ends, chosen }), "brick → moss → brick");
  assert.equal(headline({ mode: "grid", ends, chosen }), "Click a picture to take its mixture.");
  assert.match(headline({ mode: "grid", ends, chosen: Array(5).fill({}) }), /^The first four textures\. /);
});

test("a row of a strip finds its pictures: guided, blended, and the one unguided", () => {
  assert.deepEqual(
    [0, 3].map((k) => pictureIndex(0, k, 7)),
    [0, 3],
  );
  assert.deepEqual(
    [0, 3].map((k) => pictureIndex(1, k, 7)),
    [7, 10],
  );
  assert.deepEqual(
    [0, 3].map((k) => pictureIndex(2, k, 7)),
    [14, 14],
  );
});

test("arrow keys move by one, or by a row", () => {
  assert.deepEqual(
    ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => neighbour(key, 12, 5)),
    [11, 13, 7, 17],
  );
  assert.equal(neighbour("Enter", 12, 5), null);
});

test("a loop shows the nearest picture before a position, around the end too", () => {
  const pictures = [, , "c", , "e", ,];
  assert.deepEqual(
    [2, 3, 4, 5, 0, 1, 8].map((position) => arrivedPosition(pictures, position, 6)),
    [2, 2, 4, 4, 4, 4, 2],
  );
  assert.equal(arrivedPosition([], 2, 3), 2);
});

test("the slider of coarse/fine runs from high noise to low", () => {
  assert.equal(sliderPosition(STOPS, 4), 0);
  assert.equal(sliderPosition(STOPS, 0.02), 4);
  assert.equal(sliderPosition(STOPS, 0.9), 2); // nearest by ratio
  for (const [k, sigma] of STOPS.entries()) assert.equal(sigmaAt(STOPS, STOPS.length - 1 - k), sigma);
  assert.deepEqual(
    [0, 2, 4].map((position) => switchLabel(STOPS, position)),
    ["the second alone", "switch at σ = 0.50", "the first alone"],
  );
});

test("mixtures and times are printed short", () => {
  assert.equal(formatMixture({ brick: 1 / 3, moss: 2 / 3 }), "33 % brick · 67 % moss");
  assert.deepEqual([3.14, 9.96, 31.4].map(formatMs), ["3.1", "10.0", "31"]);
  const values = { count: 7, size: 64, index: 3, steps: 16, ms: 31.4, device: "cpu" };
  assert.equal(readout(values), "7 pictures  ·  64 px  ·  step 3 / 16  ·  31 ms a step  ·  cpu");
  assert.match(readout({ ...values, count: 1 }), /^1 picture /);
});
