import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { examplePainting } from "../../fgsd/app/web/paint/example.js";
import { channels, commandOf, regionsOf } from "../../fgsd/app/web/paint/files.js";
import { COLOURS, wordsOf } from "../../fgsd/app/web/paint/palette.js";
import { Plan } from "../../fgsd/app/web/paint/plan.js";
import { crc32, textOf, withText } from "../../fgsd/app/web/paint/png.js";
import { durationWords } from "../../fgsd/app/web/paint/steps.js";

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

test("a plan is sent as a byte for each pixel, deflated", async () => {
  const plan = new Plan(128);
  plan.fill(7);
  plan.numbers[3] = 255;
  const packed = await plan.packed();
  assert.deepEqual([...inflateSync(Buffer.from(packed, "base64"))], [...plan.numbers]);
  assert.ok(packed.length < 200);
});

test("a gradient has the share of each texture along its line, within its region alone", () => {
  const plan = new Plan(64);
  plan.stroke({ x: 0, y: 60 }, { x: 64, y: 60 }, 8, 2); // the lowest rows are another region
  plan.remember();
  plan.fade({ x: 16, y: 0 }, { x: 48, y: 0 }, 0, 1);
  const share = (from, to) => {
    let found = 0;
    for (let y = 0; y < 48; y += 1)
      for (let x = from; x < to; x += 1) found += plan.numbers[y * 64 + x] === 1;
    return found / (48 * (to - from));
  };
  assert.deepEqual([share(0, 16), share(48, 64)], [0, 1]);
  for (const x of [16, 24, 32, 40]) assert.ok(Math.abs(share(x, x + 8) - (x + 4 - 16) / 32) < 0.03);
  assert.equal(count(plan, 2), 64 * 8);
  plan.fade({ x: 0, y: 0 }, { x: 0, y: 4 }, 0, 1); // the line is drawn again, from the same plan
  assert.ok(share(0, 64) > 0.9);
  assert.ok(plan.undo());
  assert.equal(count(plan, 1), 0);
});

test("the text of a PNG is found again, and in no other file", () => {
  // one pixel, by Pillow
  const png = new Uint8Array(
    Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC",
      "base64",
    ),
  );
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  const file = withText(png, "fgsd-painting", "höhe {}");
  assert.equal(textOf(file, "fgsd-painting"), "höhe {}");
  assert.equal(textOf(file, "other"), null);
  for (const other of [png, file.subarray(0, 60), new Uint8Array(3), new Uint8Array(200).fill(255)])
    assert.equal(textOf(other, "fgsd-painting"), null);
});

test("the colours of an image are regions, and those of smoothed edges belong to the nearest", () => {
  const blue = [0, 0, 255, 255];
  const green = [0, 200, 0, 255];
  const between = [0, 20, 230, 255];
  const pixels = Uint8ClampedArray.from([blue, blue, green, between, green, blue].flat());
  const found = regionsOf(pixels, 2, []);
  assert.deepEqual(found.colours, ["#0000ff", "#00c800"]);
  assert.deepEqual([...found.numbers], [0, 0, 1, 0, 1, 0]);
  assert.deepEqual(regionsOf(pixels, 8, ["#00ff00", "#0000fe"]).numbers, Uint8Array.of(1, 1, 0, 1, 0, 1));
});

test("the first painting is a river, where the map has its textures", () => {
  const { plan, targets } = examplePainting(64, () => true);
  assert.equal(plan.side, 64);
  assert.deepEqual([...plan.used()].sort(), [0, 1, 2]);
  assert.equal(targets.length, 3);
  for (const number of [0, 1, 2]) assert.ok(count(plan, number) > 0.15 * 64 * 64);
  assert.equal(plan.at({ x: 0, y: 63 }), 0);
  assert.equal(
    examplePainting(64, (name) => name !== "deep-water"),
    null,
  );
});

test("the time of a run is said in words", () => {
  const frame = { index: 4, steps: 16, ms: 100, last: false };
  assert.equal(durationWords(frame), "Step 4 of 16, 1.2 s left");
  assert.equal(durationWords({ ...frame, index: 16, ms: 1000, last: true }), "16 steps in 16 s");
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
  const settings = { feather: 6, seed: 3, tileable: true };
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
