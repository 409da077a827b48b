import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { legSeconds, positionOnLeg, randomMixture } from "../../fgsd/app/web/map/play.js";

test("a random mixture has one to three textures, none twice", () => {
  const names = ["a", "b", "c", "d"];
  const counts = new Set();
  for (let k = 0; k < 200; k += 1) {
    const target = randomMixture(names);
    counts.add(target.length);
    assert.equal(new Set(target.map(({ name }) => name)).size, target.length);
    assert.ok(target.every(({ name, weight }) => names.includes(name) && weight >= 20 && weight <= 100));
  }
  assert.deepEqual([...counts].sort(), [1, 2, 3]);
  assert.equal(randomMixture(["a"], () => 0.99).length, 1);
});

test("a wandering ring starts gently, passes the middle in the middle, and rests at the end", () => {
  const [from, to] = [
    { x: 0.2, y: 0.2 },
    { x: 0.8, y: 0.6 },
  ];
  const seconds = legSeconds(from, to, 1);
  const at = (share) => positionOnLeg(from, to, share * seconds, seconds).x;
  assert.deepEqual([at(0), at(1), at(2)], [0.2, 0.8, 0.8]);
  assert.ok(Math.abs(at(0.5) - 0.5) < 1e-9 && at(0.1) < 0.2 + 0.6 * 0.1);
  assert.ok(legSeconds(from, from, 1) > 0);
});
