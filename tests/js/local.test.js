// Previews by the visitor's own machine.
import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { median, nextMaker, withTime } from "../../fgsd/app/web/picture/maker.js";
import { RunTimes, workOf } from "../../fgsd/app/web/picture/run_times.js";
import { difference } from "../../fgsd/app/web/site/pictures.js";

const maker = "server"; // of the preview before
const timed = (times, at = 0) => ({ times, at });

test("the server makes previews until both are measured", () => {
  const none = timed([]);
  assert.deepEqual(nextMaker({ server: none, browser: none, maker }, 0), { maker: "server", measure: null });
  const server = timed([500]);
  const early = nextMaker({ server, browser: timed([10, 10]), maker }, 0);
  assert.deepEqual(early, { maker: "server", measure: "browser" });
});

test("the faster one by the median of the last times makes the next preview", () => {
  const browser = timed([900, 80, 90]);
  const beside = (times, before = "server") =>
    nextMaker({ server: timed(times), browser, maker: before }, 100).maker;
  assert.equal(beside([60, 70, 2000]), "server");
  assert.equal(beside([120, 130, 20]), "browser");
  // about as fast: whoever made the last goes on
  assert.equal(beside([95]), "server");
  assert.equal(beside([85], "browser"), "browser");
  assert.equal(beside([60], "browser"), "server");
});

test("the choice follows the load of the server", () => {
  let server = timed([50, 50, 50, 50, 50]);
  const browser = timed([100, 100, 100]);
  const chosen = [];
  for (let k = 1; k <= 4; k += 1) {
    chosen.push(nextMaker({ server, browser, maker }, k).maker);
    server = withTime(server, 400, k);
  }
  assert.deepEqual(chosen, ["server", "server", "server", "browser"]);
  assert.equal(server.times.length, 5);
});

test("the other one is measured again now and then, a slow one more rarely", () => {
  const browser = timed([100, 100, 100]);
  const measured = (ms, now) => nextMaker({ server: timed([ms]), browser, maker }, now).measure;
  assert.equal(measured(200, 9_000), null);
  assert.equal(measured(200, 11_000), "server");
  assert.equal(measured(1000, 11_000), null);
  assert.equal(measured(1000, 21_000), "server");
  assert.equal(measured(50, 11_000), "browser");
});

test("the median of an even number of values lies between two", () => {
  assert.equal(median([4, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("pixels agree if none differs by more", () => {
  const image = (...data) => ({ width: 1, height: data.length / 4, data });
  assert.equal(difference(image(0, 10, 20, 255), image(1, 10, 17, 255)), 3);
  assert.equal(difference(image(0, 0, 0, 0), image(...Array(8).fill(0))), Infinity);
});

test("a run is the browser's where it takes less time, with the queue of the server", () => {
  const work = workOf({ n: 4, size: 64, steps: 16, sampler: "dpm2m" });
  assert.equal(workOf({ n: 1, size: 128, steps: 16, sampler: "heun" }), (31 / 16) * work);
  const times = new RunTimes();
  assert.equal(times.favoursBrowser(work), false); // nothing is known
  times.add("browser", 1, 1000 / work);
  assert.equal(times.favoursBrowser(work), false);
  assert.equal(times.favoursBrowserAfter(work, 1200), false);
  assert.equal(times.favoursBrowserAfter(work, 1300), true);
  times.add("server", work / 2, 600); // twice as much work takes twice as long
  assert.equal(times.favoursBrowser(work), false); // about as long
  assert.equal(times.favoursBrowserAfter(work, 100), true);
  for (const ms of [2000, 30, 2000]) times.add("server", work, ms); // the last three count
  assert.equal(times.favoursBrowser(work), true);
});
