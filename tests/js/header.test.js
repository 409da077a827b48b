import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFavourites, toggled } from "../../fgsd/app/web/header/favourites.js";
import { linkOf } from "../../fgsd/app/web/header/reconnect.js";
import { rootPath } from "../../fgsd/app/web/header/root_path.js";
import { placeOf } from "../../fgsd/app/web/header/tour.js";
import { distanceToGo, keyAction } from "../../fgsd/app/web/header/undo.js";
import { formatLink } from "../../fgsd/app/web/shared/address.js";

const favourite = (link) => ({ link, src: "data:image/webp;base64,AA", label: "4 samples of moss" });

test("stored favourites are taken only where they are valid", () => {
  const good = favourite("?mix=moss:1.0");
  assert.deepEqual(parseFavourites(JSON.stringify([good])), [good]);
  for (const bad of [
    null,
    3,
    [],
    { ...good, link: "javascript:alert(1)" },
    { ...good, link: `?mix=${"a".repeat(4000)}` },
    { ...good, src: "https://elsewhere/image.png" },
    { ...good, src: "data:image/svg+xml;base64,AA" },
    { ...good, src: good.src + "A".repeat(3e4) },
    { ...good, label: 1 },
  ]) {
    assert.deepEqual(parseFavourites(JSON.stringify([bad, good])), [good]);
  }
  for (const text of [null, "", "{", "{}", "3", "null"]) assert.deepEqual(parseFavourites(text), []);
  const many = Array.from({ length: 30 }, (_, k) => favourite(`?mix=a${k}:1.0`));
  assert.equal(parseFavourites(JSON.stringify(many)).length, 24);
});

test("the length of a favourite is counted in what the visitor sees", () => {
  const target = Array.from({ length: 8 }, (_, k) => ({ name: `${k}${"畳".repeat(84)}`, weight: 0.125 }));
  const link = formatLink({ target, settings: { n: 4, seed: 0 }, tileable: false, mode: "sample" });
  assert.ok(link.length > 6000);
  assert.deepEqual(parseFavourites(JSON.stringify([favourite(link)])), [favourite(link)]);
});

test("where the server does not know its address, the page knows what to set", () => {
  for (const [root, page, value] of [
    ["http://a.org", "http://a.org/", null],
    ["http://a.org/", "http://a.org/?mix=moss:1", null],
    ["https://a.org/x", "https://a.org/x/?mix=moss:1", null],
    ["http://a.org", "http://a.org/x/y/", "/x/y"],
    ["http://127.0.0.1:7860", "https://a.org/x/", "https://a.org/x"],
    ["http://a.org", "https://a.org/", "https://a.org"],
    ["http://a.org/x", "http://a.org/", ""],
  ]) {
    assert.equal(rootPath(root, page), value);
  }
});

test("a favourite is added at the front, and taken out the second time", () => {
  const [one, two] = [favourite("?mix=moss:1.0"), favourite("?mix=slate:1.0")];
  assert.deepEqual(toggled([one], two), [two, one]);
  assert.deepEqual(toggled([two, one], one), [two]);
  const many = Array.from({ length: 24 }, (_, k) => favourite(`?mix=a${k}:1.0`));
  assert.deepEqual(toggled(many, one), [one, ...many.slice(0, 23)]);
});

test("undo and redo stay among the steps of this page", () => {
  assert.equal(distanceToGo(-1, { step: 3, last: 5 }), -1);
  assert.equal(distanceToGo(-4, { step: 3, last: 5 }), -3);
  assert.equal(distanceToGo(4, { step: 3, last: 5 }), 2);
  assert.equal(distanceToGo(1, { step: 5, last: 5 }), 0);
});

test("the keys of undo and redo", () => {
  const key = (name, modifiers) =>
    keyAction({ key: name, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...modifiers });
  assert.equal(key("z", { ctrlKey: true }), "undo");
  assert.equal(key("z", { metaKey: true }), "undo");
  assert.equal(key("Z", { ctrlKey: true, shiftKey: true }), "redo");
  assert.equal(key("y", { ctrlKey: true }), "redo");
  assert.equal(key("z", {}), null);
  assert.equal(key("z", { ctrlKey: true, altKey: true }), null);
  assert.equal(key("x", { ctrlKey: true }), null);
});

test("after a restart the page opens with what was set, without the visitor's textures", () => {
  const page = {
    target: [
      { name: "my photo", weight: 50 },
      { name: "moss", weight: 25, move: [0.1, 0] },
    ],
    lost: ["my photo"],
    names: ["n", "size", "tileable"],
    settings: [4, 64, true],
    mode: { mode: "strip", switch: 0.5, places: 9 },
  };
  assert.deepEqual(linkOf(page), {
    target: [{ name: "moss", weight: 0.25, move: [0.1, 0] }],
    settings: { n: 4, size: 64 },
    tileable: true,
    mode: "strip",
    switch: 0.5,
    places: 9,
  });
  assert.equal(
    formatLink(linkOf(page)),
    "?mix=moss:0.25:0.1:0.0&images=4&size=64&tile=1&mode=strip&places=9",
  );
  assert.equal(linkOf({ ...page, lost: ["my photo", "moss"] }), null);
});

test("a hint is below its anchor, or above it where there is no room, and within the window", () => {
  const [hint, screen] = [
    { width: 300, height: 100 },
    { width: 390, height: 800 },
  ];
  const place = (x, y) => placeOf({ x, y, width: 40, height: 40 }, hint, screen);
  assert.deepEqual(place(170, 100), { left: 40, top: 152 });
  assert.deepEqual(place(0, 700), { left: 12, top: 588 });
  assert.deepEqual(place(380, 100), { left: 78, top: 152 });
  assert.deepEqual(placeOf({ x: 0, y: 0, width: 390, height: 800 }, hint, screen), { left: 45, top: 12 });
});
