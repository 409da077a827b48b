import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextItem } from "../../fgsd/app/web/save/index.js";
import { isRecipe, sizeError } from "../../fgsd/app/web/user_textures/index.js";
import {
  MAX_CANVAS_PIXELS,
  canvasSize,
  crop,
  decodingScale,
  scaleSteps,
} from "../../fgsd/app/web/user_textures/scale.js";

test("a panorama is cropped to its middle, other images are not", () => {
  assert.deepEqual(crop({ width: 900, height: 100 }), { x: 350, y: 0, width: 200, height: 100 });
  assert.deepEqual(crop({ width: 100, height: 900 }), { x: 0, y: 350, width: 100, height: 200 });
  assert.deepEqual(crop({ width: 150, height: 100 }), { x: 0, y: 0, width: 150, height: 100 });
});

test("a large image is halved until one smooth step is left", () => {
  assert.deepEqual(scaleSteps({ width: 960, height: 960 }, 48), [
    { width: 480, height: 480 },
    { width: 240, height: 240 },
    { width: 120, height: 120 },
    { width: 48, height: 48 },
  ]);
  assert.deepEqual(scaleSteps({ width: 300, height: 150 }, 48), [{ width: 96, height: 48 }]);
  assert.deepEqual(scaleSteps({ width: 48, height: 60 }, 48), []);
  assert.deepEqual(scaleSteps({ width: 20, height: 30 }, 48), []);
});

test("a photograph is decoded at a size that fits on a canvas, a small image at its own", () => {
  const scaled = (image) => decodingScale(image, 512) * Math.sqrt(image.width * image.height);
  for (const [width, height] of [
    [5712, 4284], // 24 megapixels
    [6144, 8192],
    [16320, 12240], // 200 megapixels
  ]) {
    assert.ok(scaled({ width, height }) ** 2 <= MAX_CANVAS_PIXELS * 1.001);
    assert.ok(Math.min(width, height) * decodingScale({ width, height }, 512) >= 512);
  }
  assert.equal(decodingScale({ width: 2048, height: 2048 }, 512), 1);
  assert.equal(decodingScale({ width: 48, height: 48 }, 512), 1);
  // the shorter side of a panorama stays as long as it is needed
  assert.equal(decodingScale({ width: 64000, height: 1024 }, 512), 0.5);
});

test("no canvas is larger than phones can draw", () => {
  assert.deepEqual(canvasSize({ width: 300, height: 200 }), { width: 300, height: 200 });
  for (const image of [
    { width: 5712, height: 4284 },
    { width: 2049, height: 2048 },
    { width: 1, height: 1 },
  ]) {
    const { width, height } = canvasSize(image);
    assert.ok(width * height <= MAX_CANVAS_PIXELS && width >= 1 && height >= 1);
  }
});

test("recipes are told from images by their name or their type", () => {
  assert.ok(isRecipe({ name: "moss.fgsd.JSON", type: "" }));
  assert.ok(isRecipe({ name: "moss", type: "application/json" }));
  assert.ok(!isRecipe({ name: "json.png", type: "image/png" }));
});

test("files that are too large are named", () => {
  assert.equal(sizeError({ name: "a.png", size: 25e6 }, "image"), null);
  assert.equal(
    sizeError({ name: "a.png", size: 25e6 + 1 }, "image"),
    "a.png is larger than 25 MB; scale it down.",
  );
  assert.equal(sizeError({ name: "b.json", size: 1.6e6 }, "recipe"), null);
  assert.equal(sizeError({ name: "b.json", size: 1.7e6 }, "recipe"), "b.json is too large for a recipe.");
});

test("arrow keys go round the save menu", () => {
  assert.deepEqual([nextItem(0, 1, 6), nextItem(5, 1, 6), nextItem(0, -1, 6)], [1, 0, 5]);
});
