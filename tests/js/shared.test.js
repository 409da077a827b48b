import "./stub_page.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  formatLink,
  hasMixture,
  linkLength,
  mixtureNames,
  parseLink,
  parseMapView,
  withLink,
  withMapView,
  withMapViewOf,
  withWatch,
} from "../../fgsd/app/web/shared/address.js";
import { emit, on } from "../../fgsd/app/web/shared/events.js";
import { latest } from "../../fgsd/app/web/shared/latest.js";
import {
  announce,
  announceSettings,
  current,
  subscribe,
  numberRequest,
} from "../../fgsd/app/web/shared/session.js";
import { local } from "../../fgsd/app/web/shared/storage.js";

const golden = JSON.parse(readFileSync(new URL("../golden/links.json", import.meta.url), "utf8"));

// ---- the address ----

test("a link of Python comes back character for character", () => {
  assert.ok(Object.keys(golden).length >= 10);
  for (const link of Object.values(golden)) assert.equal(formatLink(parseLink(link)), link);
});

test("what a link says", () => {
  const link = parseLink(golden["page-moved-mixture"]);
  assert.deepEqual(link.target, [
    { name: "lava", weight: 0.5, move: [0.3, 0.1] },
    { name: "glacier", weight: 0.5 },
  ]);
  assert.deepEqual(link.settings, {
    n: 1,
    size: 96,
    seed: 0,
    steps: 16,
    strength: 1,
    sampler: "dpm2m",
    view: "noise",
  });
  assert.equal(link.tileable, false);
  assert.equal(link.mode, "sample");
  assert.equal(parseLink(golden["page-tileable"]).tileable, true);
  assert.deepEqual([parseLink(golden.strip).mode, parseLink(golden.strip).places], ["strip", 5]);
  assert.equal(parseLink(golden["coarse-fine"]).switch, 0.4);
});

test("any name of a texture comes back, encoded as Python encodes it", () => {
  for (const name of ["a,b", "a:b", "a&b=c", "50 %", "%2C", "ü/ö", "<b>", "it's (new)!*", "a+b", "石:畳"]) {
    const link = formatLink({ target: [{ name, weight: 1 }], settings: {}, tileable: false, mode: "sample" });
    assert.deepEqual(mixtureNames(link), [name]);
  }
  const link = formatLink({
    target: [{ name: "my photo", weight: 1 }],
    settings: {},
    tileable: false,
    mode: "sample",
  });
  assert.equal(link, "?mix=my%2520photo:1.0");
  // letters of other scripts are encoded once, and read once or twice
  const stone = { target: [{ name: "石畳", weight: 1 }], settings: {}, tileable: false, mode: "sample" };
  assert.equal(formatLink(stone), "?mix=%E7%9F%B3%E7%95%B3:1.0");
  assert.deepEqual(mixtureNames("?mix=%25E7%259F%25B3%25E7%2595%25B3:1.0"), ["石畳"]);
  assert.deepEqual(mixtureNames("?mix=Cafe%CC%81:1.0"), ["Café"]);
  assert.equal(linkLength(formatLink(stone)), "?mix=石畳:1.0".length);
});

test("a query without a mixture is no link", () => {
  for (const query of ["", "?", "?a=b", "?mix=", "?remix=a:1", "?show=umap-3"]) {
    assert.equal(hasMixture(query), false);
    assert.equal(parseLink(query), null);
    assert.deepEqual(mixtureNames(query), []);
  }
  assert.equal(hasMixture("?show=grid&mix=a:1"), true);
  assert.deepEqual(mixtureNames("?mix=%E0%A4%A:1"), ["%E0%A4%A"]); // badly encoded: as it came
});

test("a link is replaced, and what else the address holds stays", () => {
  const link = {
    target: [{ name: "moss", weight: 0.5 }],
    settings: { seed: 3 },
    tileable: true,
    mode: "grid",
  };
  const query = withLink(`${golden.strip}&theme=dark&show=umap-7`, link);
  assert.equal(query, "?mix=moss:0.5&seed=3&tile=1&mode=grid&theme=dark&show=umap-7");
  assert.equal(withLink(query, null), "?theme=dark&show=umap-7");
  assert.equal(withLink("?mix=a:1", null), "");
});

test("another picture of each step is watched", () => {
  assert.equal(withWatch("?mix=a:1.0&watch=noise&show=grid", "both"), "?mix=a:1.0&watch=both&show=grid");
  assert.equal(withWatch("?show=grid", "both"), "?show=grid");
});

test("the view of the map in the address", () => {
  const read = (query) => parseMapView(query, ["pca", "umap"], 8);
  assert.deepEqual(read("?mix=a:1&show=umap-7"), { view: "map", projection: "umap", level: 7 });
  assert.deepEqual(read("?show=grid"), { view: "grid" });
  for (const query of [
    "",
    "?show=",
    "?show=umap-8",
    "?show=umap",
    "?show=tsne-1",
    "?show=umap--1",
    "?noshow=grid",
  ]) {
    assert.equal(read(query), null);
  }
  for (const view of [
    { view: "map", projection: "pca", level: 0 },
    { view: "map", projection: "umap", level: 3 },
  ]) {
    assert.deepEqual(read(withMapView("?mix=a:1.0&show=grid", view)), view);
  }
  assert.equal(
    withMapView("?mix=a:1.0", { view: "grid", projection: "pca", level: 2 }),
    "?mix=a:1.0&show=grid",
  );
  assert.equal(withMapView("?mix=a:1.0&show=umap-3", null), "?mix=a:1.0");
  assert.equal(withMapView("?show=umap-3", null), "");
  assert.equal(withMapViewOf("?mix=b:1.0", "?mix=a:1.0&show=umap-3"), "?mix=b:1.0&show=umap-3");
  assert.equal(withMapViewOf("?mix=b:1.0&show=grid", "?mix=a:1.0"), "?mix=b:1.0");
});

// ---- the newest wins ----

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

test("one call runs at a time, and only the newest of those that wait is run", async () => {
  const calls = [];
  const ask = latest((argument) => {
    const call = { argument, ...deferred() };
    calls.push(call);
    return call.promise;
  });
  const loop = ask(1);
  await ask(2); // returns at once: it waits for the first
  await ask(3);
  assert.deepEqual(
    calls.map(({ argument }) => argument),
    [1],
  );
  calls[0].resolve();
  await new Promise(setImmediate);
  assert.deepEqual(
    calls.map(({ argument }) => argument),
    [1, 3],
  );
  calls[1].resolve();
  await loop;
  const again = ask(4);
  assert.equal(calls.length, 3);
  calls[2].resolve();
  await again;
});

test("an error reaches the caller, and the next argument is asked for", async () => {
  const seen = [];
  const ask = latest(async (argument) => {
    seen.push(argument);
    if (argument === "bad") throw new Error("refused");
  });
  await assert.rejects(ask("bad"), /refused/);
  await ask("good");
  assert.deepEqual(seen, ["bad", "good"]);
});

// ---- events and the session ----

test("events reach their subscribers until they unsubscribe", () => {
  const seen = [];
  const stop = on("open", (query) => seen.push(query));
  emit("open", "?mix=a:1.0");
  stop();
  emit("open", "?mix=b:1.0");
  assert.deepEqual(seen, ["?mix=a:1.0"]);
});

test("a state is repeated to whoever subscribes later, an event is not", () => {
  const seen = [];
  assert.equal(current("visitor"), undefined);
  subscribe("visitor", (visitor) => seen.push(["early", visitor]));
  announce("visitor", "abc");
  subscribe("visitor", (visitor) => seen.push(["late", visitor]));
  assert.deepEqual(seen, [
    ["early", "abc"],
    ["late", "abc"],
  ]);
  assert.equal(current("visitor"), "abc");
  emit("error", "before");
  on("error", () => assert.fail("an event is not repeated"));
  announceSettings(4, 64, "dpm2m");
  assert.deepEqual(current("settings"), [4, 64, "dpm2m"]);
});

test("requests are numbered in their last input", () => {
  const [a, first] = numberRequest("a", null);
  const [second] = numberRequest(null);
  assert.equal(a, "a");
  assert.equal(second, first + 1);
});

// ---- storage ----

test("blocked storage keeps nothing and does not fail", () => {
  globalThis.window = {
    get localStorage() {
      throw new Error("blocked");
    },
  };
  assert.equal(local.get("key"), null);
  assert.equal(local.set("key", "value"), false);
  local.remove("key");
  const items = new Map();
  globalThis.window = {
    localStorage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
      removeItem: (key) => items.delete(key),
    },
  };
  assert.equal(local.set("key", "value"), true);
  assert.equal(local.get("key"), "value");
  local.remove("key");
  assert.equal(local.get("key"), null);
  delete globalThis.window;
});
