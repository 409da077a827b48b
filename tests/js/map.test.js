import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { legible, packColour, viridis } from "../../fgsd/app/web/map/colours.js";
import { pointStamp } from "../../fgsd/app/web/map/crop_painter.js";
import { decodeBytes, decodePositions, readMapData } from "../../fgsd/app/web/map/data.js";
import { nearestWords } from "../../fgsd/app/web/map/distance.js";
import { gridColumns, gridLayout, mapLayout } from "../../fgsd/app/web/map/layout.js";
import { isInside } from "../../fgsd/app/web/map/polygon.js";
import { Requests } from "../../fgsd/app/web/map/requests.js";
import { arrowStep } from "../../fgsd/app/web/map/ring.js";
import { matches } from "../../fgsd/app/web/map/search.js";
import {
  entryOf,
  mixtureAt,
  mixtureOfCounts,
  percentOf,
  shareOf,
  withMove,
  withPercent,
  withWeight,
  without,
} from "../../fgsd/app/web/map/target.js";
import { MAX_ZOOM, View, limited, zoomedAt } from "../../fgsd/app/web/map/view.js";

const near = (actual, expected, tolerance = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const base64 = (typed) => Buffer.from(typed.buffer).toString("base64");

// ---- the view ----

function view(changes = {}) {
  const one = new View("pca", 0);
  one.resize({ width: 600, height: 500 });
  return Object.assign(one, changes);
}

test("positions and pixels are inverse to each other, zoomed or not, on the map and in the grid", () => {
  for (const arrangement of ["map", "grid"]) {
    const one = view({ arrangement });
    one.setTransform({ zoom: 3, x: -200, y: -700 });
    for (const position of [
      { x: 0, y: 0 },
      { x: 0.3, y: 0.9 },
      { x: -0.2, y: 1.1 },
    ]) {
      const back = one.toPosition(one.toPixel(position));
      near(back.x, position.x);
      near(back.y, position.y);
    }
  }
  assert.deepEqual(view().toPixel({ x: 0.5, y: 0.5 }), { x: 300, y: 250 });
  const grid = view({ arrangement: "grid" });
  grid.setTransform({ zoom: 3, x: -200, y: -700 });
  assert.deepEqual(grid.toPixel({ x: 0.5, y: 0.5 }), { x: 300, y: 250 }); // the grid is not zoomed
});

test("zooming keeps the position under the pointer in place", () => {
  const one = view();
  const pixel = { x: 420, y: 130 };
  const before = one.toPosition(pixel);
  for (const factor of [1.5, 2, 0.8]) one.setTransform(zoomedAt(one.transform, factor, pixel));
  near(one.transform.zoom, 2.4);
  const after = one.toPosition(pixel);
  near(after.x, before.x);
  near(after.y, before.y);
});

test("the zoom has limits, and the map stays in sight", () => {
  const size = { width: 600, height: 500 };
  assert.equal(zoomedAt({ zoom: 30, x: 0, y: 0 }, 5, { x: 0, y: 0 }).zoom, MAX_ZOOM);
  assert.deepEqual(limited({ zoom: 0.5, x: 90, y: -90 }, size), { zoom: 1, x: 0, y: 0 });
  // while it is zoomed, an edge comes a quarter of the map into it
  assert.deepEqual(limited({ zoom: 2, x: 1e6, y: -1e6 }, size), { zoom: 2, x: 150, y: -625 });
});

test("another size shows the same part of the map", () => {
  const one = view();
  one.setTransform({ zoom: 2, x: -300, y: -100 });
  const corner = one.toPosition({ x: 0, y: 0 });
  one.resize({ width: 300, height: 400 });
  const now = one.toPosition({ x: 0, y: 0 });
  near(now.x, corner.x);
  near(now.y, corner.y);
});

test("an arrow key moves as far on the screen at every zoom, and as far down as across", () => {
  const one = view();
  const right = arrowStep({ key: "ArrowRight", shiftKey: false }, one);
  near(right.x * 600, 12);
  near(arrowStep({ key: "ArrowUp", shiftKey: false }, one).y * 500, -12);
  near(arrowStep({ key: "ArrowRight", shiftKey: true }, one).x, right.x / 4);
  one.setTransform({ zoom: 4, x: 0, y: 0 });
  near(arrowStep({ key: "ArrowRight", shiftKey: false }, one).x, right.x / 4);
  assert.equal(arrowStep({ key: "Enter", shiftKey: false }, one), null);
});

// ---- the target ----

const centres = new Map(
  Object.entries({
    a: { x: 0.1, y: 0.2 },
    b: { x: 0.8, y: 0.3 },
    c: { x: 0.5, y: 0.9 },
    d: { x: 0.3, y: 0.5 },
    e: { x: 0.9, y: 0.9 },
    f: { x: 0.2, y: 0.8 },
  }),
);
const weightAt = (target, name) => (entryOf(target, name)?.weight ?? 0) / 100;

test("on a thumbnail its texture is the target", () => {
  for (const [name, { x, y }] of centres)
    assert.deepEqual(mixtureAt({ x, y }, centres, 0.8), [{ name, weight: 100 }]);
  assert.deepEqual(mixtureAt({ x: 0, y: 0 }, new Map([["a", { x: 1, y: 1 }]]), 0.8), [
    { name: "a", weight: 100 },
  ]);
});

test("a mixture has at most four textures, with shares that sum to 100", () => {
  for (let k = 0; k < 50; k += 1) {
    const target = mixtureAt({ x: (k * 0.37) % 1, y: (k * 0.61) % 1 }, centres, 0.8);
    assert.ok(target.length >= 1 && target.length <= 4);
    near(sum(target.map(({ weight }) => weight)), 100, 0.01);
    assert.ok(target.every(({ weight }) => weight > 0));
  }
});

test("the weights of a mixture follow their formula", () => {
  const position = { x: 0.42, y: 0.55 };
  const distances = [...centres].map(([name, { x, y }]) => [name, Math.hypot(x - 0.42, 0.8 * (y - 0.55))]);
  distances.sort((a, b) => a[1] - b[1]);
  const limit = distances[4][1];
  const raw = distances.slice(0, 4).map(([name, d]) => [name, (1 - d / limit) ** 2 / d]);
  const total = sum(raw.map(([, weight]) => weight));
  const target = mixtureAt(position, centres, 0.8);
  for (const [name, weight] of raw) near(weightAt(target, name), weight / total, 1e-5);
});

test("weights change continuously along any line", () => {
  const steps = 2000;
  for (const [from, to] of [
    ["a", "e"],
    ["b", "f"],
    ["c", "a"],
  ]) {
    let last = null;
    for (let k = 0; k <= steps; k += 1) {
      const share = k / steps;
      const [p, q] = [centres.get(from), centres.get(to)];
      const target = mixtureAt({ x: p.x + share * (q.x - p.x), y: p.y + share * (q.y - p.y) }, centres, 0.8);
      for (const name of centres.keys()) {
        if (last) assert.ok(Math.abs(weightAt(target, name) - weightAt(last, name)) < 0.02, `${name} jumps`);
      }
      last = target;
    }
  }
});

test("halfway between two textures that stand apart, both have half", () => {
  const two = new Map([
    ["a", { x: 0.2, y: 0.5 }],
    ["b", { x: 0.6, y: 0.5 }],
  ]);
  const target = mixtureAt({ x: 0.4, y: 0.5 }, two, 0.8);
  near(weightAt(target, "a"), 0.5, 1e-4);
  near(weightAt(target, "b"), 0.5, 1e-4);
});

test("shares, weights, moves", () => {
  const target = [
    { name: "a", weight: 30, move: [0.1, 0.2] },
    { name: "b", weight: 10 },
  ];
  near(shareOf(target, target[0]), 0.75);
  assert.equal(percentOf(target, target[1]), 25);
  assert.equal(shareOf([{ name: "a", weight: 0 }], { name: "a", weight: 0 }), 0);
  assert.deepEqual(without(target, "a"), [target[1]]);
  assert.deepEqual(withWeight(target, "b", 70)[1], { name: "b", weight: 70 });
  assert.deepEqual(withMove(target, "a", null)[0], { name: "a", weight: 30 });
  assert.deepEqual(withMove(target, "b", [1, 2])[1], { name: "b", weight: 10, move: [1, 2] });
  assert.deepEqual(target[1], { name: "b", weight: 10 }); // nothing is changed in place
});

test("a share typed as a number leaves the others their proportions", () => {
  const target = ["a", "b", "c"].map((name, k) => ({ name, weight: 10 * (k + 1) }));
  const changed = withPercent(target, "a", 40);
  near(weightAt(changed, "a"), 0.4);
  near(weightAt(changed, "b"), 0.24);
  near(weightAt(changed, "c"), 0.36);
  near(weightAt(withPercent(target, "a", 250), "a"), 1);
  assert.equal(withPercent(target, "a", NaN), null);
  assert.equal(withPercent([{ name: "a", weight: 1 }], "a", 40), null);
});

test("counted classes become a mixture of the most frequent", () => {
  const counts = new Map([
    ["a", 1],
    ["b", 6],
    ["c", 3],
  ]);
  assert.deepEqual(mixtureOfCounts(counts, 2), [
    { name: "b", weight: 66.667 },
    { name: "c", weight: 33.333 },
  ]);
});

// ---- the lasso ----

test("what lies inside of a polygon, against a brute force", () => {
  const square = [
    [0, 0],
    [2, 0],
    [2, 2],
    [0, 2],
  ].map(([x, y]) => ({ x, y }));
  assert.equal(isInside(square, 1, 1), true);
  for (const [x, y] of [
    [-1, 1],
    [3, 1],
    [1, -1],
    [1, 3],
  ])
    assert.equal(isInside(square, x, y), false);
  assert.equal(isInside([], 1, 1), false);
  // a star that is not convex: a point is inside if it is nearer than the outline in its direction
  const radius = (angle) => 2 + Math.cos(5 * angle);
  const star = Array.from({ length: 720 }, (_, k) => {
    const angle = (k * Math.PI) / 360;
    return { x: radius(angle) * Math.cos(angle), y: radius(angle) * Math.sin(angle) };
  });
  for (let k = 0; k < 400; k += 1) {
    const [x, y] = [((k * 0.377) % 7) - 3.5, ((k * 0.619) % 7) - 3.5];
    const gap = Math.hypot(x, y) - radius(Math.atan2(y, x));
    if (Math.abs(gap) > 0.01) assert.equal(isInside(star, x, y), gap < 0);
  }
});

// ---- positions and layouts ----

test("positions come as 16-bit shares of their range", () => {
  const packed = base64(Uint16Array.from([0, 65535, 32768]));
  const [low, high, middle] = decodePositions(packed, [-0.25, 1.25]);
  near(low, -0.25);
  near(high, 1.25);
  near(middle, 0.5, 1e-4);
  assert.deepEqual([...decodeBytes(base64(Uint8Array.from([0, 127, 255])))], [0, 127, 255]);
});

function mapData() {
  const table = (offset) => base64(Uint16Array.from({ length: 2 * 2 * 4 }, (_, k) => 1000 * (k + offset)));
  return readMapData(
    {
      projections: "pca,umap",
      sigmas: "0.1,2",
      range: "0,1",
      colours: base64(Uint8Array.from([1, 2, 3, 4, 5, 6])),
      crops: "10",
      maxClasses: "8",
      maxMove: "2",
      level: "1",
      pca: table(0),
      umap: table(20),
    },
    ["a", "b"],
  );
}

test("the map's data are read from its markup", () => {
  const data = mapData();
  assert.deepEqual(data.projections, ["pca", "umap"]);
  assert.deepEqual(data.sigmas, [0.1, 2]);
  assert.deepEqual([data.cropCount, data.maxClasses, data.maxMove, data.startLevel], [10, 8, 2, 1]);
  assert.deepEqual([...data.colours], [1, 2, 3, 4, 5, 6]);
});

test("on the map each thumbnail stands where its projection and noise level have it", () => {
  const layout = mapLayout(mapData(), new Map(), "umap", 1);
  const { x, y, classX, classY } = layout.get("b");
  for (const [k, value] of [x, y, classX, classY].entries()) near(value, (1000 * (32 + k)) / 65535, 1e-6);
});

test("a user texture stands on its own position, within the map", () => {
  const texture = {
    name: "mine",
    src: "",
    near: [],
    pca: [
      [0, 0],
      [1.2, 0.5],
    ],
    umap: null,
  };
  const textures = new Map([["mine", texture]]);
  assert.deepEqual(mapLayout(mapData(), textures, "pca", 1).get("mine"), {
    x: 0.96,
    y: 0.5,
    classX: 1.2,
    classY: 0.5,
  });
  assert.equal(mapLayout(mapData(), textures, "umap", 1).get("mine").classX, 1.2); // it has none there
  texture.umap = [
    [0, 0],
    [0.3, 0.4],
  ];
  assert.equal(mapLayout(mapData(), textures, "umap", 1).get("mine").classX, 0.3);
});

test("the grid has all thumbnails in rows, none on another", () => {
  const names = Array.from({ length: 13 }, (_, k) => `t${k}`);
  const size = { width: 600, height: 500 };
  const layout = gridLayout(names, size);
  const columns = gridColumns(13, size);
  assert.equal(columns, 4);
  const cells = [...layout.values()].map(({ x, y }) => `${x.toFixed(6)} ${y.toFixed(6)}`);
  assert.equal(new Set(cells).size, 13);
  assert.equal(layout.get("t0").y, layout.get("t3").y);
  assert.ok(layout.get("t4").y > layout.get("t3").y);
  for (const { x, y } of layout.values()) assert.ok(x > 0 && x < 1 && y > 0 && y < 1);
});

// ---- colours and points ----

test("a colour stands out from the ground, and keeps its hue where it can", () => {
  const luminance = ([r, g, b]) => (0.21 * r + 0.72 * g + 0.07 * b) / 255;
  for (const dark of [false, true]) {
    const [low, high] = dark ? [0.42, 0.9] : [0.12, 0.58];
    for (const rgb of [
      [0, 0, 0],
      [255, 255, 255],
      [200, 30, 10],
      [10, 10, 60],
    ]) {
      const found = luminance(legible(rgb, dark));
      assert.ok(found > low - 1e-9 && found < high + 1e-9);
    }
  }
  assert.deepEqual(legible([100, 100, 100], false), [100, 100, 100]);
});

test("the colour scale runs from violet to yellow, as bytes of a pixel", () => {
  assert.deepEqual(viridis(0), [0x44, 0x01, 0x54]);
  assert.deepEqual(viridis(1), [0xfd, 0xe7, 0x25]);
  assert.deepEqual(viridis(0.5), [0x21, 0x91, 0x8c]);
  assert.equal(packColour([0x12, 0x34, 0x56]), 0x563412);
});

test("a point is symmetric, and its faint corners come first", () => {
  for (const side of [1, 2, 3, 5]) {
    const stamp = pointStamp(side);
    assert.equal(stamp.length, side ** 2);
    const opacities = stamp.map(({ opacity }) => opacity);
    assert.deepEqual(opacities, [...opacities].sort());
    if (side % 2) near(sum(stamp.map(({ x }) => x)), 0);
  }
  assert.ok(pointStamp(3).some(({ opacity }) => opacity < 1));
});

// ---- search and requests ----

test("a search finds parts of names; those that begin with it come first", () => {
  const names = ["blue-ice", "ice cream", "slice", "moss"];
  assert.deepEqual(matches(names, "ICE"), ["ice cream", "blue-ice", "slice"]);
  assert.deepEqual(matches(names, "blue ice"), ["blue-ice"]);
  assert.deepEqual(matches(["Café", "石畳"], "cafe\u0301"), ["Café"]);
  assert.deepEqual(matches(["हिन्दी", "हद"], "हिन्"), ["हिन्दी"]);
  assert.deepEqual(matches(names, "gold"), []);
  for (const empty of ["", " ", "--"]) assert.deepEqual(matches(names, empty), []);
});

test("an answer is asked for once, unless it failed", async () => {
  const asked = [];
  const server = {
    async crop(argument) {
      asked.push(argument);
      return asked.length === 1 ? { error: "Too many." } : { value: argument.crop };
    },
  };
  const requests = new Requests(server);
  await assert.rejects(requests.ask("crop", { crop: 3 }), /Too many/);
  assert.equal(await requests.ask("crop", { crop: 3 }, ({ value }) => 2 * value), 6);
  assert.equal(await requests.ask("crop", { crop: 3 }, () => assert.fail("decoded already")), 6);
  await requests.ask("crop", { crop: 4 });
  assert.deepEqual(
    asked.map(({ crop }) => crop),
    [3, 3, 4],
  );
});

test("what the target is, in words", () => {
  const words = (distance, spacing = 4) => nearestWords({ name: "lava", distance, spacing });
  assert.equal(words(0), "This is lava.");
  assert.equal(words(1), "Close to lava.");
  assert.equal(words(3), "Between textures; lava is the nearest.");
  assert.equal(words(5), "Unlike any texture; lava is the nearest.");
  assert.equal(words(0, 0), "This is lava.");
});
