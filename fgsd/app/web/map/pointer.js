// What the hand does on the map: drags the pin or a texture, pans, zooms, encloses crops.
const lassoButton = room.querySelector(".lasso");
const DOUBLE_MS = 500; // two presses within this time may be a double click
const CLICK = 4; // pixels: a press that moves no further is a click
const fingers = new Map(); // that are on the map: where they are
let hand = null; // what is going on: {kind, ...}
let space = false; // the key is down
let swallow = false; // the click that ends a drag is none
let before = null; // the target before the last press on the ground, for a double click
let pressed = -Infinity; // when that was

const lassoing = () => lassoButton.getAttribute("aria-pressed") === "true";

function take(event, what) {
  hand = { pointer: event.pointerId, at: pointer(event), ...what };
  map.setPointerCapture(event.pointerId);
}

function takePin(event, straight) {
  take(event, { kind: "pin" });
  mark.focus({ preventScroll: true });
  hold(true);
  if (straight) movePin(event);
}

function movePin(event) {
  const { x, y } = pointer(event);
  const at = onPlane(x, y);
  putPin(at.x, at.y);
}

// A texture is taken along only where that has a meaning: in the plane of PCA.
function takeTexture(event) {
  const { name, adding } = hand;
  if (!onMap() && event.pointerType === "touch") return void (hand = null); // it scrolls the page
  swallow = true;
  if (plane() !== "pca") return takePin(event, true);
  if (!entryOf(name)) {
    if (adding && target().length >= most) return say(`At most ${most} textures can be mixed.`, 2500);
    props.value = [...(adding ? target() : []), { name, weight: WEIGHT }];
  }
  place = null;
  take(event, { kind: "texture", name, from: entryOf(name).move ?? [0, 0], start: hand.start });
  return hold(true);
}

function moveTexture(event) {
  const { x, y } = pointer(event);
  const { name, from, start } = hand;
  putMove(name, from[0] + (x - start.x) / (view.k * box.w), from[1] + (y - start.y) / (view.k * box.h));
}

function takeTwo() {
  const [one, other] = [...fingers.values()];
  if (dragging) {
    hold(false);
    choose(before ?? target()); // taking the pin has ended the run that was under way
  }
  hand = { kind: "pinch", apart: Math.hypot(one.x - other.x, one.y - other.y), middle: between(one, other) };
}

const between = (one, other) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });

function pinch() {
  const [one, other] = [...fingers.values()];
  const [apart, middle] = [Math.hypot(one.x - other.x, one.y - other.y), between(one, other)];
  setView(view.k, view.x + middle.x - hand.middle.x, view.y + middle.y - hand.middle.y);
  zoom(apart / Math.max(1, hand.apart), middle);
  Object.assign(hand, { apart, middle });
}

map.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".zoom")) return;
  swallow = false;
  look(null);
  if (event.pointerType === "touch") fingers.set(event.pointerId, pointer(event));
  if (fingers.size === 2 && onMap()) return void takeTwo();
  if (hand) return;
  const dot = event.target.closest(".dot");
  const panning = event.button === 1 || event.button === 2 || space || event.altKey;
  if (panning && onMap()) {
    event.preventDefault();
    take(event, { kind: "pan" });
    room.classList.add("panning");
  } else if (event.button !== 0) {
    return;
  } else if (lassoing()) {
    event.preventDefault();
    take(event, { kind: "lasso", line: [onPlane(...Object.values(pointer(event)))] });
  } else if (dot) {
    const adding = event.shiftKey || event.ctrlKey || event.metaKey || mix.getAttribute("aria-pressed") === "true";
    hand = { kind: "press", pointer: event.pointerId, start: pointer(event), name: dot.dataset.name, adding };
  } else {
    event.preventDefault();
    // the second press of a double click comes when the first has moved the pin already
    if (event.timeStamp - pressed > DOUBLE_MS) before = target();
    pressed = event.timeStamp;
    takePin(event, !event.target.closest(".mark"));
  }
});

// On the window: a press that leaves a thumbnail within one event has not been captured yet.
window.addEventListener("pointermove", (event) => {
  const at = pointer(event);
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
  if (hand?.kind === "pinch") return void (fingers.size === 2 && pinch());
  if (!hand) return void look(event.target === ground.canvas ? at : null);
  if (hand.pointer !== event.pointerId) return;
  if (hand.kind === "press" && Math.hypot(at.x - hand.start.x, at.y - hand.start.y) > CLICK) takeTexture(event);
  if (hand.kind === "pin") movePin(event);
  else if (hand.kind === "texture") moveTexture(event);
  else if (hand.kind === "pan") {
    setView(view.k, view.x + at.x - hand.at.x, view.y + at.y - hand.at.y);
    hand.at = at;
  } else if (hand.kind === "lasso") {
    hand.line.push(onPlane(at.x, at.y));
    repaint();
  }
});

for (const kind of ["pointerup", "pointercancel"]) {
  window.addEventListener(kind, (event) => {
    fingers.delete(event.pointerId);
    if (hand?.kind === "pinch") return void (fingers.size === 0 && (hand = null));
    if (!hand || hand.pointer !== event.pointerId) return;
    const done = hand;
    hand = null;
    room.classList.remove("panning");
    if (done.kind === "lasso") enclose(done.line);
    letGo();
  });
}

map.addEventListener("click", (event) => {
  const dot = event.target.closest(".dot");
  if (!dot || swallow || lassoing()) return;
  const mixing = mix.getAttribute("aria-pressed") === "true";
  pick(dot.dataset.name, mixing || event.shiftKey || event.ctrlKey || event.metaKey);
});

// ---- zoom ----

map.addEventListener(
  "wheel",
  (event) => {
    if (!onMap() || (view.k === 1 && event.deltaY > 0)) return; // nothing to show: the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), pointer(event));
  },
  { passive: false },
);
map.addEventListener("contextmenu", (event) => onMap() && event.preventDefault());
map.addEventListener("dblclick", (event) => {
  if (event.target.closest(".dot, .zoom") || !onMap()) return;
  zoom(event.shiftKey ? 0.5 : 2, pointer(event));
  if (before && JSON.stringify(before) !== JSON.stringify(target())) choose(before); // the pin stays
});
room.querySelector(".zoom").addEventListener("click", (event) => {
  const way = event.target.closest("button")?.dataset.zoom;
  if (way) zoomBy(way);
});

function zoomBy(way) {
  if (way === "all") setView(1, 0, 0);
  else zoom(way === "in" ? 1.5 : 1 / 1.5);
}

// ---- keys ----

const typing = (event) => event.target.closest?.("input, select, textarea, [contenteditable]");

document.addEventListener("keydown", (event) => {
  const elsewhere = event.target !== document.body && !room.contains(event.target);
  if (typing(event) || elsewhere || event.ctrlKey || event.metaKey) return;
  if (event.key === " " && event.target === document.body) {
    space = true;
    event.preventDefault(); // it would scroll the page
  }
  const ways = { "+": "in", "=": "in", "-": "out", "−": "out", 0: "all" };
  if (event.key in ways) zoomBy(ways[event.key]);
  else if (event.key.toLowerCase() === "l") toggleLasso();
  else if (event.key === "Escape" && lassoing()) toggleLasso();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " ") space = false;
  if (event.key === "Alt" && hand?.kind === "keys") endKeys();
});

// Alt and arrows move the texture that has the focus, as a hand would; letting go of Alt samples it.
map.addEventListener("keydown", (event) => {
  const name = event.target.closest(".dot")?.dataset.name;
  if (!name || !event.altKey || !(event.key in WAYS) || plane() !== "pca") return;
  event.preventDefault();
  if (hand?.kind !== "keys") {
    if (!entryOf(name)) props.value = [{ name, weight: WEIGHT }];
    place = null;
    hand = { kind: "keys", name };
    hold(true);
  }
  const [dx, dy] = stride(event);
  const [x, y] = entryOf(name).move ?? [0, 0];
  putMove(name, x + dx, y + dy);
});
map.addEventListener("focusout", () => hand?.kind === "keys" && endKeys());

function endKeys() {
  hand = null;
  letGo();
}

// ---- the lasso ----

function toggleLasso() {
  const on = !lassoing();
  lassoButton.setAttribute("aria-pressed", on);
  room.classList.toggle("lassoing", on);
  say(on ? "Draw round what you want." : invitation);
}

function paintLasso() {
  if (hand?.kind !== "lasso") return;
  over.beginPath();
  for (const point of hand.line) {
    const { x, y } = onScreen(point);
    over.lineTo(x, y);
  }
  over.closePath();
  over.globalAlpha = 0.15;
  over.fillStyle = colours().accent;
  over.fill();
  over.globalAlpha = 0.9;
  over.stroke();
}

function inside(line, x, y) {
  let odd = false;
  for (let k = 0, last = line.length - 1; k < line.length; last = k, k += 1) {
    const [a, b] = [line[k], line[last]];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
  }
  return odd;
}

// The mean of what is enclosed, as a mixture that a link can hold: the classes that most of it belongs to.
function enclose(line) {
  const counts = new Map();
  const add = (name) => counts.set(name, (counts.get(name) ?? 0) + 1);
  if (onMap() && crops.at && crops.labels) {
    for (let k = 0; k < count; k += 1) {
      if (inside(line, crops.at[2 * k], crops.at[2 * k + 1])) add(classes[crops.labels[k]]);
    }
  } else {
    for (const name of dots.keys()) if (inside(line, centre(name).x, centre(name).y)) add(name);
  }
  toggleLasso();
  repaint();
  if (!counts.size) return say("There is nothing inside.", 2500);
  const found = [...counts].sort((a, b) => b[1] - a[1]).slice(0, most);
  const total = found.reduce((sum, [, n]) => sum + n, 0);
  choose(found.map(([name, n]) => ({ name, weight: Math.round((1e5 * n) / total) / 1e3 })));
  const all = [...counts.values()].reduce((sum, n) => sum + n, 0);
  return say(`${all} inside, of ${counts.size} ${counts.size === 1 ? "texture" : "textures"}.`, 2500);
}
