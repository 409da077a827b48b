import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextItem } from "../../fgsd/app/web/save/index.js";
import { isRecipe, sizeError } from "../../fgsd/app/web/user_textures/index.js";
import { crop, scaleSteps } from "../../fgsd/app/web/user_textures/scale.js";

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

test("recipes are told from images by their name or their type", () => {
  assert.ok(isRecipe({ name: "moss.fgsd.JSON", type: "" }));
  assert.ok(isRecipe({ name: "moss", type: "application/json" }));
  assert.ok(!isRecipe({ name: "json.png", type: "image/png" }));
});

test("files that are too large are named", () => {
  assert.equal(sizeError({ name: "a.png", size: 16e6 }, "image"), null);
  assert.equal(
    sizeError({ name: "a.png", size: 16e6 + 1 }, "image"),
    "a.png is larger than 16 MB; scale it down.",
  );
  assert.equal(sizeError({ name: "b.json", size: 1.6e6 }, "recipe"), null);
  assert.equal(sizeError({ name: "b.json", size: 1.7e6 }, "recipe"), "b.json is too large for a recipe.");
});

test("arrow keys go round the save menu", () => {
  assert.deepEqual([nextItem(0, 1, 6), nextItem(5, 1, 6), nextItem(0, -1, 6)], [1, 0, 5]);
});
