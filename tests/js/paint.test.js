import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { channels, commandOf } from "../../fgsd/app/web/paint/files.js";
import { COLOURS, wordsOf } from "../../fgsd/app/web/paint/palette.js";
import { Plan } from "../../fgsd/app/web/paint/plan.js";

const count = (plan, number) => plan.numbers.filter((one) => one === number).length;

test("a press paints a disc", () => {
  const plan = new Plan(64);
  plan.stroke({ x: 32, y: 32 }, { x: 32, y: 32 }, 20, 3);
  assert.ok(Math.abs(count(plan, 3) - Math.PI * 100) < 12);
  assert.equal(plan.numbers[32 * 64 + 32], 3);
  assert.equal(plan.numbers[32 * 64 + 44], 0);
  assert.deepEqual([...plan.used()].sort(), [0, 3]);
});

test("a stroke paints all between two positions, also beyond the edge", () => {
  const plan = new Plan(64);
  plan.stroke({ x: -10, y: 20 }, { x: 80, y: 20 }, 8, 1);
  for (let x = 0; x < 64; x += 1) assert.equal(plan.numbers[20 * 64 + x], 1);
  assert.equal(count(plan, 1), 64 * 8);
  const slanted = new Plan(64);
  slanted.stroke({ x: 10, y: 10 }, { x: 50, y: 40 }, 6, 2);
  assert.ok(Math.abs(count(slanted, 2) - (50 * 6 + Math.PI * 9)) < 12);
});

test("undo returns to what was remembered, stroke by stroke", () => {
  const plan = new Plan(16);
  for (const number of [1, 2]) {
    plan.remember();
    plan.stroke({ x: 8, y: 8 }, { x: 8, y: 8 }, 4 * number, number);
  }
  plan.fill(3);
  assert.deepEqual([...plan.everUsed()].sort(), [0, 1, 3]);
  assert.ok(plan.undo());
  assert.deepEqual([...plan.used()].sort(), [0, 1]);
  assert.ok(plan.undo());
  assert.deepEqual([...plan.used()], [0]);
  assert.equal(plan.undo(), false);
  for (let k = 0; k < 100; k += 1) plan.remember();
  assert.ok(plan.earlier.length <= 40);
});

test("a plan of another size has the same regions", () => {
  const plan = new Plan(32);
  plan.stroke({ x: 16, y: 16 }, { x: 16, y: 16 }, 16, 1);
  const larger = plan.scaled(64);
  assert.equal(count(larger, 1), 4 * count(plan, 1));
  assert.deepEqual([...larger.scaled(32).numbers], [...plan.numbers]);
});

test("a plan is sent as a byte for each pixel", () => {
  const plan = new Plan(16);
  plan.fill(7);
  plan.numbers[3] = 255;
  assert.deepEqual([...Buffer.from(plan.encoded(), "base64")], [...plan.numbers]);
});

test("targets are said in words", () => {
  assert.equal(wordsOf([{ name: "lava", weight: 50 }]), "lava");
  const mixed = [
    { name: "lava", weight: 1 },
    { name: "ice", weight: 3 },
  ];
  assert.equal(wordsOf(mixed), "25 % lava, 75 % ice");
  assert.equal(new Set(COLOURS).size, 8);
});

test("the command names each texture of the plan, and what it cannot name is said", () => {
  const plan = new Plan(16);
  plan.stroke({ x: 8, y: 8 }, { x: 8, y: 8 }, 6, 1);
  const targets = [
    [{ name: "grass", weight: 50 }],
    [
      { name: "o'lava", weight: 1 },
      { name: "a,b", weight: 3, move: [0.1, 0] },
    ],
    [{ name: "not-painted", weight: 1 }],
  ];
  const settings = { feather: "6", seed: "3", tileable: true };
  const { command, missing } = commandOf(plan, targets, settings, (name) => name === "grass");
  assert.equal(
    command,
    "fgsd paint --labels plan.png --colour '#0072b2=grass' " +
      "--colour '#e69f00=o'\\''lava=0.250000,a\\,b=0.750000' --feather 6 --seed 3 --tileable -o painting.png",
  );
  assert.equal(missing, "grass, a,b");
  const equals = commandOf(new Plan(16), [[{ name: "a=b", weight: 9 }]], settings, () => false);
  assert.ok(equals.command.includes("'#0072b2=a\\=b=1.000000'") && equals.missing === "");
  assert.deepEqual(channels("#0072b2"), [0, 0x72, 0xb2]);
});
