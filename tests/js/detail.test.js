import assert from "node:assert/strict";
import { test } from "node:test";
import { detailOf, spreadOrder } from "../../fgsd/app/web/map/detail.js";

const points = Array.from({ length: 200 }, (_, k) => ({ x: (k * 0.618034) % 1, y: (k * 0.754878) % 1 }));

/** Names in the order of `spreadOrder`, with their pixels at a zoom. */
function centresAt(zoom) {
  const size = { width: 600, height: 500 };
  return new Map(
    spreadOrder(points, size).map((k) => [
      `t${k}`,
      { x: zoom * size.width * points[k].x, y: zoom * size.height * points[k].y },
    ]),
  );
}

const smallestDistance = (pixels) =>
  Math.min(...pixels.flatMap((a, k) => pixels.slice(0, k).map((b) => Math.hypot(a.x - b.x, a.y - b.y))));

test("the first points of the order are spread over the map", () => {
  const found = spreadOrder(points, { width: 600, height: 500 });
  assert.deepEqual(
    [...found].sort((a, b) => a - b),
    [...points.keys()],
  );
  const pixels = (rows) => rows.map((k) => ({ x: 600 * points[k].x, y: 500 * points[k].y }));
  assert.ok(smallestDistance(pixels(found.slice(0, 20))) > 60);
  assert.ok(smallestDistance(pixels([...points.keys()].slice(0, 20))) < 60); // as they are, they are not
  assert.deepEqual(spreadOrder([], { width: 600, height: 500 }), []);
  assert.deepEqual(spreadOrder(Array(3).fill({ x: 0.5, y: 0.5 }), { width: 9, height: 9 }), [0, 1, 2]);
});

test("no thumbnail and no name overlaps another, and there are more of them as one zooms in", () => {
  const counts = [1, 2, 4, 40].map((zoom) => {
    const all = centresAt(zoom);
    const { shown, named } = detailOf(all, 30, new Set(), true);
    const pixels = [...shown].map((name) => all.get(name));
    for (const [k, a] of pixels.entries())
      for (const b of pixels.slice(0, k)) assert.ok(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) >= 30);
    assert.ok([...named].every((name) => shown.has(name)));
    return [shown.size, named.size];
  });
  assert.ok(counts[0][0] > 40 && counts[0][0] < 200 && counts[0][1] < counts[0][0]);
  for (const k of [1, 2, 3]) assert.ok(counts[k][0] >= counts[k - 1][0]);
  assert.deepEqual(counts[3], [200, 200]);
});

test("what is chosen is always shown", () => {
  const all = new Map([
    ["a", { x: 10, y: 10 }],
    ["b", { x: 12, y: 10 }],
    ["c", { x: 14, y: 10 }],
  ]);
  assert.deepEqual([...detailOf(all, 30, new Set(), true).shown], ["a"]);
  assert.deepEqual([...detailOf(all, 30, new Set(["c"]), true).shown], ["a", "c"]);
  assert.equal(detailOf(all, 30, new Set(), false).named.size, 0);
});
