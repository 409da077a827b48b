import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextItem } from "../../fgsd/app/web/save/index.js";
import {
  corners,
  fitted,
  largestSide,
  sideAt,
  sliderOf,
  wholeBox,
} from "../../fgsd/app/web/user_textures/crop_box.js";
import { kindOf, learningText, sizeError } from "../../fgsd/app/web/user_textures/index.js";
import { fromBase64, toBase64 } from "../../fgsd/app/web/user_textures/kept.js";
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

test("recipes and texture files are told from images by their name or their type", () => {
  assert.equal(kindOf({ name: "moss.fgsd.JSON", type: "" }), "recipe");
  assert.equal(kindOf({ name: "moss", type: "application/json" }), "recipe");
  assert.equal(kindOf({ name: "moss.fgsd.safetensors", type: "" }), "texture");
  assert.equal(kindOf({ name: "json.png", type: "image/png" }), "image");
});

test("what is said while a texture is learned", () => {
  assert.equal(learningText({ name: "wall" }), "Learning wall …");
  assert.equal(learningText({ name: "wall", position: 2 }), "wall waits to be learned: number 2 in line");
  assert.equal(learningText({ name: "wall", step: 6, steps: 60, seconds: 3.2 }), "Learning wall, 4 s left");
});

test("the square of a crop stays inside of the image, whatever its angle", () => {
  const image = { width: 300, height: 200 };
  assert.deepEqual(wholeBox(image), { x: 150, y: 100, side: 200, angle: 0 });
  for (const angle of [0, 17, 45, 90, -90, 133, 180, 540]) {
    for (const [x, y, side] of [
      [0, 0, 1000],
      [1000, -50, 90],
      [150, 100, 1],
    ]) {
      const box = fitted({ x, y, side, angle }, image, 64);
      assert.ok(box.side >= 63.999 && box.side <= largestSide(image, angle) + 1e-9);
      assert.ok(box.angle >= -180 && box.angle < 180);
      for (const [left, top] of corners(box)) {
        assert.ok(left > -1e-6 && left < 300 + 1e-6 && top > -1e-6 && top < 200 + 1e-6);
      }
    }
  }
  // an image that is smaller than a crop can only be turned
  assert.equal(
    fitted({ x: 9, y: 9, side: 9, angle: 90 }, { width: 20, height: 30 }, 64).side.toFixed(6),
    "20.000000",
  );
});

test("the corners of a square turn clockwise with it", () => {
  const [first] = corners({ x: 10, y: 10, side: 4, angle: 0 });
  assert.deepEqual(first, [8, 8]);
  const [turned] = corners({ x: 10, y: 10, side: 4, angle: 90 });
  assert.deepEqual(
    turned.map((value) => Math.round(value)),
    [12, 8],
  );
});

test("equal steps of the size slider are equal ratios", () => {
  assert.ok(Math.abs(sideAt(50, 64, 256) - 128) < 1e-9);
  assert.ok(Math.abs(sliderOf(128, 64, 256) - 50) < 1e-9);
  assert.equal(sliderOf(20, 64, 20), 100);
});

test("bytes survive base64", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, k) => k);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
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
