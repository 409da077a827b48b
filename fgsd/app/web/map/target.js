// The target room. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// The value is the target: [{name, weight, move?}, ...]. Markup: target_room.py; nothing here re-renders it.
const room = element.querySelector(".map-panel");
const map = room.querySelector(".map");
const chips = room.querySelector(".chips");
const mix = room.querySelector(".mix");
const hint = room.querySelector(".hint");
const most = Number(room.dataset.most);
const WEIGHT = 50; // of a class just chosen: the middle of its slider
const dots = new Map([...map.querySelectorAll(".dot")].map((dot) => [dot.dataset.name, dot]));
const touch = window.matchMedia("(pointer: coarse)").matches;
const invitation = touch ? "Drag the ring, or tap a texture." : hint.textContent;

const target = () => (Array.isArray(props.value) ? props.value : []);
const entryOf = (name) => target().find((entry) => entry.name === name);
const share = (entry) => entry.weight / (target().reduce((sum, one) => sum + one.weight, 0) || 1);
const percent = (entry) => Math.round(100 * share(entry));

let kept = 0; // until then, what was said stays

function say(text, ms = 0) {
  if (!ms && performance.now() < kept) return;
  kept = performance.now() + ms;
  hint.textContent = text;
}

function choose(value) {
  props.value = value;
  draw();
  if (value.length) trigger("release");
}

function pick(name, adding) {
  const now = target();
  if (!adding) return choose([{ ...entryOf(name), name, weight: WEIGHT }]);
  if (entryOf(name)) {
    if (now.length > 1) choose(now.filter((entry) => entry.name !== name));
    return undefined;
  }
  if (now.length >= most) return say(`At most ${most} textures can be mixed.`, 2500);
  return choose([...now, { name, weight: WEIGHT }]);
}

function draw() {
  const chosen = new Set(target().map((entry) => entry.name));
  for (const [name, dot] of dots) dot.setAttribute("aria-pressed", chosen.has(name));
  room.dataset.target = JSON.stringify(target()); // what opens again if the server goes away: see away.js
  drawMap();
  drawChips();
  measure();
}

// ---- the chips ----

function make(tag, properties, ...children) {
  const one = Object.assign(document.createElement(tag), properties);
  one.append(...children);
  return one;
}

function makeChip(name) {
  const thumb = make("i", {});
  thumb.style.cssText = dots.get(name)?.style.cssText ?? "";
  thumb.style.transform = "";
  const range = make("input", { type: "range", min: 0, max: 100, step: 1, ariaLabel: `Weight of ${name}` });
  const number = make("input", { type: "number", min: 0, max: 100, step: 1 });
  number.ariaLabel = `Share of ${name} in percent`;
  const home = make("button", { type: "button", className: "home", textContent: "↺", hidden: true });
  home.title = "It was moved over the map: put it back in its place";
  home.ariaLabel = `Put ${name} back in its place`;
  const remove = make("button", { type: "button", className: "remove", textContent: "×" });
  remove.ariaLabel = `Remove ${name}`;
  const label = make("span", {}, make("b", { textContent: name }), home);
  const part = make("span", { className: "part" }, number, " %");
  const chip = make("div", { className: "chip" }, thumb, label, range, part, remove);
  chip.dataset.name = name;
  chip.classList.toggle("user-texture", Boolean(dots.get(name)?.matches(".user-texture")));
  return chip;
}

// Chips are kept while their class is chosen, so that a slider under the hand is never replaced.
function drawChips() {
  const now = target();
  const old = new Map([...chips.children].map((chip) => [chip.dataset.name, chip]));
  for (const chip of [...chips.children]) if (!entryOf(chip.dataset.name)) chip.remove();
  for (const [at, entry] of now.entries()) {
    const chip = old.get(entry.name) ?? makeChip(entry.name);
    if (chips.children[at] !== chip) chips.insertBefore(chip, chips.children[at] ?? null);
    const [range, number] = chip.querySelectorAll("input");
    if (Number(range.value) !== Math.round(entry.weight)) range.value = entry.weight;
    range.setAttribute("aria-valuetext", `${percent(entry)} percent`);
    if (document.activeElement !== number) number.value = percent(entry);
    chip.querySelector(".home").hidden = !entry.move;
    chip.dataset.weight = entry.weight;
  }
  chips.dataset.count = now.length;
}

const nameOf = (part) => part.closest(".chip").dataset.name;

function weigh(range) {
  const weights = target().map((entry) => (entry.name === nameOf(range) ? Number(range.value) : entry.weight));
  if (!weights.some((weight) => weight > 0)) return;
  props.value = target().map((entry, k) => ({ ...entry, weight: weights[k] }));
  draw();
}

// The others keep their proportions in what is left.
function setShare(number) {
  const wanted = Math.min(100, Math.max(0, Number(number.value)));
  const rest = target().reduce((sum, e) => sum + (e.name === nameOf(number) ? 0 : e.weight), 0);
  if (number.value === "" || !Number.isFinite(wanted) || rest <= 0) return;
  props.value = target().map((entry) => {
    const weight = entry.name === nameOf(number) ? wanted : (entry.weight * (100 - wanted)) / rest;
    return { ...entry, weight };
  });
  draw();
}

chips.addEventListener("input", (event) => {
  if (event.target.type === "range") weigh(event.target);
  else setShare(event.target);
});
chips.addEventListener("change", () => trigger("release"));
// A number that was left empty shows again what holds.
chips.addEventListener("focusout", ({ target: left }) => {
  const entry = left.type === "number" && entryOf(nameOf(left));
  if (entry) left.value = percent(entry);
});
chips.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const name = nameOf(button);
  if (button.matches(".home")) choose(target().map((e) => (e.name === name ? { name, weight: e.weight } : e)));
  else choose(target().filter((entry) => entry.name !== name));
});

// ---- the true distance: on a plane, distances deceive ----

const truth = room.querySelector(".true-distance");
let visitor = null; // by whom the server finds the visitor's own textures
let measured = null; // the target that was asked for last, as text
let measuring = false;

function lost() {
  document.dispatchEvent(new CustomEvent("fgsd:lost"));
  return null;
}

async function measure() {
  const wanted = JSON.stringify(target());
  if (measuring || wanted === measured) return;
  measuring = true;
  measured = wanted;
  const found = target().length ? await server.map_true_distance({ target: target(), visitor }).catch(lost) : null;
  measuring = false;
  showTruth(found?.name ? found : null);
  measure(); // what has changed meanwhile
}

document.addEventListener("fgsd:visitor", (event) => (visitor = event.detail));

function showTruth(found) {
  truth.dataset.distance = found?.distance ?? "";
  if (!found) return void (truth.textContent = "");
  const there = spots.get(found.name); // its home, though its thumbnail may have been dragged away
  const { x, y } = pinPlace();
  const far = Math.hypot(x - there.x, (y - there.y) * (box.h / box.w));
  const onMap = room.dataset.view === "map" ? ` · on the map ${Math.round(100 * far)} %` : "";
  truth.textContent = `nearest: ${found.name} · truly ${found.distance.toFixed(2)}${onMap}`;
}
