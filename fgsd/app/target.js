// The target room. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// The value is the target: [{name, weight}, ...]. Markup: target_room.py; nothing here re-renders it.
const room = element.querySelector(".room");
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
const share = (entry) => entry.weight / (target().reduce((sum, one) => sum + one.weight, 0) || 1);

function say(text) {
  hint.textContent = text;
}

function choose(value) {
  props.value = value;
  draw();
  if (value.length) trigger("release");
}

function pick(name, adding) {
  const now = target();
  if (!adding) return choose([{ name, weight: WEIGHT }]);
  if (now.some((entry) => entry.name === name)) {
    if (now.length > 1) choose(now.filter((entry) => entry.name !== name));
    return undefined;
  }
  if (now.length >= most) return say(`At most ${most} textures can be mixed.`);
  return choose([...now, { name, weight: WEIGHT }]);
}

// ---- the map ----

function draw() {
  const chosen = new Map(target().map((entry) => [entry.name, share(entry)]));
  for (const [name, dot] of dots) {
    dot.setAttribute("aria-pressed", chosen.has(name));
  }
  drawPin();
  drawChips();
}

function drawPin() {
  const pin = room.querySelector(".pin");
  const rays = pin.querySelector(".rays");
  const shown = target().filter((entry) => dots.has(entry.name));
  rays.replaceChildren();
  const { x, y } = pinPlace();
  mark.style.left = `${100 * x}%`;
  mark.style.top = `${100 * y}%`;
  const words = shown.map((entry) => `${Math.round(100 * share(entry))} % ${entry.name}`).join(", ");
  mark.setAttribute("aria-label", `Pin at ${words}. Arrow keys move it, Enter samples.`);
  for (const entry of shown) {
    const thumbnail = centre(entry.name);
    const ray = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const ends = { x1: x, y1: y, x2: thumbnail.x, y2: thumbnail.y };
    for (const [key, place] of Object.entries(ends)) ray.setAttribute(key, `${100 * place}%`);
    ray.style.strokeWidth = 1 + 5 * share(entry);
    rays.append(ray);
  }
}

// ---- the chips ----

function makeChip(name) {
  const chip = document.createElement("div");
  chip.className = "chip";
  chip.dataset.name = name;
  const thumb = document.createElement("i");
  thumb.style.cssText = dots.get(name)?.style.cssText ?? "";
  const label = document.createElement("span");
  label.textContent = name;
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: 0, max: 100, step: 1 });
  range.setAttribute("aria-label", `Weight of ${name}`);
  const output = document.createElement("output");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "remove";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Remove ${name}`);
  chip.append(thumb, label, range, output, remove);
  return chip;
}

// Chips are kept while their class is chosen, so that a slider under the hand is never replaced.
function drawChips() {
  const now = target();
  const old = new Map([...chips.children].map((chip) => [chip.dataset.name, chip]));
  for (const chip of [...chips.children]) {
    if (!now.some((entry) => entry.name === chip.dataset.name)) chip.remove();
  }
  for (const [place, entry] of now.entries()) {
    const chip = old.get(entry.name) ?? makeChip(entry.name);
    if (chips.children[place] !== chip) chips.insertBefore(chip, chips.children[place] ?? null);
    const range = chip.querySelector("input");
    if (Number(range.value) !== Math.round(entry.weight)) range.value = entry.weight;
    chip.dataset.weight = entry.weight;
    chip.querySelector("output").textContent = `${Math.round(100 * share(entry))} %`;
  }
  chips.dataset.count = now.length;
}

function weigh(range) {
  const name = range.closest(".chip").dataset.name;
  const sliders = [...chips.querySelectorAll("input")];
  const total = sliders.reduce((sum, one) => sum + Number(one.value), 0);
  if (total === 0) return;
  props.value = target().map((entry) => {
    const slider = sliders.find((one) => one.closest(".chip").dataset.name === entry.name);
    return { name: entry.name, weight: Number(slider.value) };
  });
  draw();
  const entry = target().find((one) => one.name === name);
  range.setAttribute("aria-valuetext", `${Math.round(100 * share(entry))} percent`);
}

// ---- listeners, delegated ----

map.addEventListener("click", (event) => {
  const dot = event.target.closest(".dot");
  if (!dot) return;
  const mixing = mix.getAttribute("aria-pressed") === "true";
  pick(dot.dataset.name, mixing || event.shiftKey || event.ctrlKey || event.metaKey);
});
for (const kind of ["pointerover", "focusin"]) {
  map.addEventListener(kind, (event) => {
    const dot = event.target.closest(".dot");
    say(dot ? dot.dataset.name : invitation);
  });
}
map.addEventListener("pointerleave", () => say(invitation));
chips.addEventListener("input", (event) => weigh(event.target));
chips.addEventListener("change", () => trigger("release"));
chips.addEventListener("click", (event) => {
  const remove = event.target.closest(".remove");
  if (!remove) return;
  const { name } = remove.closest(".chip").dataset;
  choose(target().filter((entry) => entry.name !== name));
});
mix.addEventListener("click", () => {
  mix.setAttribute("aria-pressed", mix.getAttribute("aria-pressed") !== "true");
});
function arrange(view) {
  room.dataset.view = view;
  for (const button of room.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", button.dataset.show === view);
  }
  place = null;
  drawPin();
}
room.querySelector(".switch").addEventListener("click", (event) => {
  const button = event.target.closest("[data-show]");
  if (button) arrange(button.dataset.show);
});
