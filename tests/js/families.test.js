// Families on the map: regions, their names, the grid by families, and flights.
import assert from "node:assert/strict";
import { test } from "node:test";
import { detailOf, placedLabels } from "../../fgsd/app/web/map/detail.js";
import { fitting, transformAt } from "../../fgsd/app/web/map/flight.js";
import { GRID, regionField } from "../../fgsd/app/web/map/region_field.js";
import { matches } from "../../fgsd/app/web/map/search.js";
import { familyGrid } from "../../fgsd/app/web/map/family_grid.js";

/** The family that owns the cell at a position, and how strongly. */
function cellAt({ owner, strength }, { x, y }) {
  const share = (v) => (v - GRID.low) / (GRID.high - GRID.low);
  const cell = Math.floor(share(y) * GRID.rows) * GRID.columns + Math.floor(share(x) * GRID.columns);
  return [owner[cell], strength[cell]];
}

test("a region is where its family is denser than the others", () => {
  const left = Array.from({ length: 12 }, (_, k) => ({ x: 0.2, y: 0.4 + 0.01 * k }));
  const right = Array.from({ length: 12 }, (_, k) => ({ x: 0.8, y: 0.4 + 0.01 * k }));
  const stray = { x: 0.2, y: 0.45 }; // one of the second family among the first
  const members = [...left.map(() => 0), ...right.map(() => 1), 1, -1];
  const field = regionField([...left, ...right, stray, { x: 0.5, y: 0.9 }], members, 3, 0.04, 1.2);
  assert.deepEqual(cellAt(field, { x: 0.2, y: 0.45 }), [0, 1]);
  assert.deepEqual(cellAt(field, { x: 0.8, y: 0.45 }), [1, 1]);
  assert.equal(cellAt(field, { x: 0.5, y: 0.45 })[0], -1); // far from all of them
  assert.equal(cellAt(field, { x: 0.5, y: 0.9 })[0], -1); // that texture is of no family
  assert.ok(Math.hypot(field.places[0][0].x - 0.2, field.places[0][0].y - 0.455) < 0.03);
  assert.ok(field.places[1].every(({ x }) => x > 0.6));
  assert.deepEqual(field.places[2], []);
});

test("where two families are equally dense there is no colour", () => {
  const both = [0, 1].map(() => ({ x: 0.5, y: 0.5 }));
  const field = regionField(both, [0, 1], 2, 0.05, 1);
  assert.ok(cellAt(field, { x: 0.5, y: 0.5 })[1] < 0.3);
});

test("names of families take the first of their boxes that has room, and thumbnails go round them", () => {
  const box = (x) => ({ left: x, right: x + 60, top: 0, bottom: 18 });
  const labels = [
    { family: "sand", boxes: [box(0), box(100)] },
    { family: "snow", boxes: [box(110), box(300)] },
    { family: "lava", boxes: [box(20)] },
  ];
  const placed = placedLabels(labels, [{ x: 10, y: 10 }], 20);
  assert.deepEqual(
    placed.map(({ family, box: { left } }) => [family, left]),
    [
      ["sand", 100],
      ["snow", 300],
    ],
  );
  const centres = new Map([
    ["a", { x: 110, y: 9 }],
    ["b", { x: 220, y: 9 }],
  ]);
  const { shown } = detailOf(centres, 20, new Set(), false, [placed[0].box]);
  assert.deepEqual([...shown], ["b"]);
});

test("the grid by families has a block for each, within the map and without overlap", () => {
  const counts = { earth: 76, lava: 7, "paving and tiles": 32, sand: 40, "wood and thatch": 3 };
  const groups = new Map(
    Object.entries(counts).map(([family, n]) => [
      family,
      Array.from({ length: n }, (_, k) => `${family}${k}`),
    ]),
  );
  for (const size of [
    { width: 620, height: 516 },
    { width: 358, height: 358 },
    { width: 900, height: 300 },
  ]) {
    const { placements, headings, cell } = familyGrid(groups, size);
    assert.deepEqual([...placements.keys()].sort(), [...groups.values()].flat().sort());
    assert.deepEqual(
      headings.map(({ family }) => family),
      [...groups.keys()],
    );
    const side = cell * size.width;
    const pixels = [...placements.values()].map(({ x, y }) => ({ x: x * size.width, y: y * size.height }));
    for (const [k, a] of pixels.entries()) {
      assert.ok(a.x >= side / 2 && a.x <= size.width - side / 2 && a.y <= size.height - side / 2 + 1e-6);
      for (const b of pixels.slice(0, k))
        assert.ok(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) > side - 1e-6);
      for (const { x, y } of headings)
        assert.ok(a.x < x * size.width || Math.abs(a.y - y * size.height) > side / 2);
    }
    // there is no room for much larger thumbnails: they take a good part of the area
    assert.ok((side * side * pixels.length) / (size.width * size.height) > 0.4);
  }
});

test("a search finds families after names", () => {
  const families = new Map([
    ["dunes", "sand"],
    ["sandstone", "stone"],
    ["wet-sand", "sand"],
    ["lava", "lava"],
  ]);
  assert.deepEqual(matches([...families.keys()], "Sand", families), ["sandstone", "wet-sand", "dunes"]);
  assert.deepEqual(matches([...families.keys()], "sand"), ["sandstone", "wet-sand"]);
  assert.deepEqual(matches([...families.keys()], "-", families), []);
});

test("a flight ends where all positions are in sight", () => {
  const size = { width: 600, height: 500 };
  const positions = [
    { x: 0.5, y: 0.2 },
    { x: 0.7, y: 0.4 },
  ];
  const goal = fitting(positions, size);
  assert.ok(goal.zoom > 2);
  for (const { x, y } of positions) {
    const [left, top] = [goal.zoom * x * size.width + goal.x, goal.zoom * y * size.height + goal.y];
    assert.ok(left > 50 && left < 550 && top > 40 && top < 460);
  }
  const everything = fitting(
    [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ],
    size,
  );
  assert.deepEqual([everything.zoom, everything.x, everything.y], [1, 0, 0]);
  const start = { zoom: 1, x: 0, y: 0 };
  assert.deepEqual(transformAt(start, goal, 0), start);
  assert.deepEqual(transformAt(start, goal, 1), goal);
  assert.ok(Math.abs(transformAt(start, goal, 0.5).zoom - Math.sqrt(goal.zoom)) < 1e-9);
  assert.deepEqual(transformAt({ zoom: 2, x: 0, y: 0 }, { zoom: 2, x: -100, y: 50 }, 0.5), {
    zoom: 2,
    x: -50,
    y: 25,
  });
});
