import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { targetSide } from "../../fgsd/app/web/picture/canvases.js";
import { filmTimes, framing, partOf } from "../../fgsd/app/web/picture/drag_film.js";
import { distanceHeight, polylinePoints, sigmaHeight, stepX } from "../../fgsd/app/web/shared/chart.js";
import { addressChange } from "../../fgsd/app/web/picture/history.js";
import { Run, nearestStep, readouts } from "../../fgsd/app/web/shared/run.js";
import { shortLabel } from "../../fgsd/app/web/picture/index.js";
import { isPart, opacity, square } from "../../fgsd/app/web/picture/part.js";
import { contentsOf } from "../../fgsd/app/web/picture/screen.js";
import { playedStep, stepAt, stepMs, welcomeMs } from "../../fgsd/app/web/shared/timeline.js";
import { on } from "../../fgsd/app/web/shared/events.js";
import { previewRun, requestPreview } from "../../fgsd/app/web/shared/preview.js";
import { announce } from "../../fgsd/app/web/shared/session.js";

test("a preview of the centre is a part; whole pictures and steps of a run are none", () => {
  const finished = { n: 1, columns: 1, size: 192, corner: 64 };
  assert.ok(isPart({ preview: true, n: 1, size: 64, finished }));
  assert.ok(isPart({ preview: true, n: 1, size: 64, finished: { n: 4, columns: 2, size: 64, corner: 0 } }));
  assert.ok(!isPart({ preview: true, n: 1, size: 192, finished: { ...finished, corner: 0 } }));
  assert.ok(!isPart({ n: 1, size: 64 }));
});

test("a caption names the two heaviest textures of a mixture", () => {
  assert.equal(shortLabel("lava"), "lava");
  assert.equal(shortLabel("9% sand, 91% lava"), "9% sand, 91% lava");
  assert.equal(shortLabel("4% moss, 9% sand, 87% lava"), "87% lava, 9% sand …");
});

test("a preview lies in its place, at the scale of the finished picture", () => {
  assert.deepEqual(square({ size: 192, corner: 64 }, 64, 480), { at: 160, side: 160 });
  assert.deepEqual(square({ size: 64, corner: 0 }, 64, 235), { at: 0, side: 235 });
});

test("a preview fades at its edge alone", () => {
  assert.equal(opacity(0, 50, 100, 10), 0.05);
  assert.equal(opacity(50, 94, 100, 10), 0.55);
  assert.equal(opacity(50, 50, 100, 10), 1);
  assert.equal(opacity(0, 0, 100, 0), 1);
});

test("in a film of a drag rests are short, and the last picture stays", () => {
  assert.deepEqual(filmTimes([500, 560, 9000, 9100]), { starts: [0, 60, 1060, 1160], end: 2660 });
});

test("a film shows the part of the previews, and from the release on more and more", () => {
  const finished = { n: 1, columns: 1, size: 256, corner: 80 };
  const part = partOf({ preview: true, n: 1, size: 96, side: 96, finished });
  assert.deepEqual(part, { at: 84 / 256, side: 88 / 256 });
  const whole = partOf({ n: 1, size: 256, side: 256 });
  const parts = [part, part, whole, whole];
  const starts = [0, 100, 200, 1500];
  assert.deepEqual(framing(parts, starts, 150), part);
  assert.deepEqual(framing(parts, starts, 200), part);
  const half = framing(parts, starts, 550);
  assert.ok(Math.abs(half.side - (1 + part.side) / 2) < 1e-9 && Math.abs(half.at - part.at / 2) < 1e-9);
  for (const time of [900, 1600]) assert.deepEqual(framing(parts, starts, time), { at: 0, side: 1 });
  assert.deepEqual(framing([whole], [0], 10), { at: 0, side: 1 });
});

const frame = (index, more = {}) => ({ index, steps: 16, sigma: 1, distance: 1, ...more });

test("the steps are spread evenly over the chart; a single one is in the middle", () => {
  assert.deepEqual(
    [1, 2, 3].map((index) => stepX(index, 3)),
    [0, 50, 100],
  );
  assert.equal(stepX(1, 1), 50);
});

test("noise is drawn by its logarithm, from the lowest level to the highest", () => {
  const frames = [10, 1, 0.1].map((sigma, k) => frame(k + 1, { sigma }));
  const height = sigmaHeight(frames);
  assert.equal(height(frames[0]), 1);
  // 0.02 is the bottom unless the run goes lower
  assert.ok(Math.abs(height({ sigma: 0.02 })) < 1e-12);
  const lower = sigmaHeight([frame(1, { sigma: 4 }), frame(2, { sigma: 0.002 })]);
  assert.ok(Math.abs(lower({ sigma: 0.002 })) < 1e-12 && lower({ sigma: 4 }) === 1);
  assert.ok(Math.abs(lower({ sigma: Math.sqrt(4 * 0.002) }) - 0.5) < 1e-12);
});

test("distance is drawn from 0 to the largest, which is at least 5 %", () => {
  const of = (relative_distance) => ({ relative_distance });
  assert.equal(distanceHeight([frame(1, of(0.025))])(of(0.025)), 0.5);
  assert.equal(distanceHeight([frame(1, of(0.4))])(of(0.1)), 0.25);
});

test("the points of a line are in the units of the view box, with the origin at the top", () => {
  assert.equal(
    polylinePoints([frame(1), frame(3)], 3, ({ index }) => (index === 1 ? 1 : 0)),
    "0.00,6.00 100.00,94.00",
  );
  assert.equal(
    polylinePoints([], 16, () => 0),
    "",
  );
});

test("a step that has not arrived gives way to the nearest before it, or to the first", () => {
  const steps = [frame(1), undefined, undefined, frame(4)];
  assert.deepEqual(
    [1, 2, 3, 4, 99, -3].map((index) => nearestStep(steps, index)?.index),
    [1, 1, 1, 4, 4, 1],
  );
  assert.equal(nearestStep([undefined, frame(2)], 1)?.index, 2);
  assert.equal(nearestStep([], 1), undefined);
});

test("a run keeps each step once, however often it arrives", () => {
  const run = new Run(3);
  assert.deepEqual(
    run.add([frame(1), frame(3)]).map(({ index }) => index),
    [1, 3],
  );
  assert.deepEqual(
    run.add([frame(1), frame(2), frame(3)]).map(({ index }) => index),
    [2],
  );
  assert.deepEqual(
    run.arrived().map(({ index }) => index),
    [1, 2, 3],
  );
});

test("the pointer over the chart finds its step, at the edges too", () => {
  assert.deepEqual(
    [-1, 0, 0.26, 0.5, 1, 2].map((share) => stepAt(share, 16)),
    [1, 1, 5, 9, 16, 16],
  );
  assert.equal(stepAt(0.7, 1), 1);
});

test("a run plays in 1.6 seconds, unless its steps would be too short or too long", () => {
  assert.equal(stepMs(16), 100);
  assert.equal(stepMs(100), 30);
  assert.equal(stepMs(4), 120);
  assert.equal(stepMs(16, 500), 31.25);
  assert.deepEqual(
    [0, 99, 100, 250, 1e6].map((elapsed) => playedStep(1, elapsed, 100, 16)),
    [1, 1, 2, 3, 16],
  );
});

test("the first screen plays until the page has a certain age, and shortly where it opens later", () => {
  assert.deepEqual(
    [0, 1000, 1200, 1400, 1e4].map((age) => welcomeMs(age)),
    [500, 500, 300, 100, 100],
  );
  assert.equal(stepMs(16, 160), 10);
});

test("a preview shows one image, whatever is watched", () => {
  assert.deepEqual(contentsOf("both"), ["noise", "estimate"]);
  assert.deepEqual(contentsOf("estimate"), ["estimate"]);
  assert.deepEqual(contentsOf("both", true), ["noise"]);
});

test("the read-outs have the digits that matter", () => {
  const values = {
    index: 3,
    steps: 16,
    sigma: 0.25,
    distance: null,
    ms: 3.14,
    evaluations: 4,
    device: "cpu",
  };
  assert.deepEqual(readouts(values), {
    step: "3 / 16",
    sigma: "0.250",
    distance: "–",
    ms: "3.1",
    evaluations: "4",
    device: "cpu",
  });
  const { sigma, distance, ms } = readouts({ ...values, sigma: 12.345, relative_distance: 0.1205, ms: 31.4 });
  assert.deepEqual([sigma, distance, ms], ["12.35", "12 %", "31"]);
});

test("an image fills its canvas, at most 2048 pixels, and three tiles share it", () => {
  assert.equal(targetSide(250.4, 2, 1), 501);
  assert.equal(targetSide(1200, 2, 1), 2048);
  assert.equal(targetSide(300, 1, 3), 100);
});

test("a preview is requested with the current settings; without an answer the page is told", async () => {
  announce("settings", [4, 64]);
  announce("visitor", "abc");
  const target = [{ name: "moss", weight: 50 }];
  let unanswered = 0;
  on("no-answer", () => (unanswered += 1));
  const echo = { preview: async (argument) => ({ argument }) };
  assert.deepEqual(await requestPreview(echo, { target }), {
    argument: { settings: [4, 64], visitor: "abc", target },
  });
  assert.equal(unanswered, 0);
  const away = { preview: () => Promise.reject(new Error("away")) };
  assert.deepEqual(await requestPreview(away, { target }), {});
  assert.equal(unanswered, 1);
});

test("an id of a preview lies between the run on the screen and the next", () => {
  assert.equal(previewRun("7"), 7.5);
  assert.equal(previewRun("7.5"), 7.5);
  assert.equal(previewRun(undefined), 0.5);
});

test("a new picture is a step of the history; the first screen only completes its bare address", () => {
  const [first, other] = ["?mix=brick:1.0&seed=0", "?mix=moss:1.0&seed=0"];
  assert.equal(addressChange(first, first, ""), "replace");
  assert.equal(addressChange(other, first, ""), "push");
  assert.equal(addressChange(other, first, first), "push");
  assert.equal(addressChange(first, first, other), "push");
  assert.equal(addressChange(other, first, other), "same");
  assert.equal(addressChange(other, first, `${other}&show=umap-3`), "same");
  // the same link, written in another way
  const link = "?mix=Caf%C3%A9:1.0&images=4";
  for (const name of ["Cafe%CC%81", "Caf%25C3%25A9"]) {
    assert.equal(addressChange(link, first, `?mix=${name}:1&images=4`), "replace");
  }
});
