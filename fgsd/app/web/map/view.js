// What is seen of the map: one transform for thumbnails, stems, pin and crops, and moves from place to place.
// Drawn by hand on canvases, not with plotly: scattergl cannot animate moves, leaks contexts, and is 4.5 MB.
const ground = map.querySelector(".ground").getContext("2d", { willReadFrequently: true });
const over = map.querySelector(".over").getContext("2d");
const projections = room.dataset.projections.split(",");
const sigmas = room.dataset.sigmas.split(",").map(Number);
const classes = [...dots.keys()];
const shown = { projection: projections[0], level: Number(room.dataset.level) };
const MOVE_MS = 500; // from one projection to another; half of it between noise levels
const MAX_ZOOM = 40;
const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");

const box = { w: 1, h: 1 }; // of the map, in CSS pixels
const view = { k: 1, x: 0, y: 0 }; // screen = k * place * box + (x, y)
const spots = new Map(); // where each thumbnail is now, and its class's own place: {x, y, px, py}
const moved = new Map(); // how far a thumbnail was dragged: [dx, dy]
const own = new Map(); // textures of the visitor's own: {pca, umap} of places by level, see paths.js

const onMap = () => room.dataset.view === "map";
const plane = () => (onMap() ? shown.projection : "grid");

// ---- places ----

function decode(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < bytes.length; k += 1) bytes[k] = text.charCodeAt(k);
  return bytes;
}

function unpack(base64) {
  const [low, high] = room.dataset.range.split(",").map(Number);
  const whole = new Uint16Array(decode(base64).buffer);
  return Float32Array.from(whole, (value) => low + (value / 65535) * (high - low));
}

const tables = Object.fromEntries(projections.map((name) => [name, unpack(room.dataset[name])]));

function layout() {
  const found = new Map();
  const names = [...dots.keys()];
  const across = Math.max(1, Math.round(Math.sqrt((names.length * box.w) / box.h)));
  const down = Math.ceil(names.length / across);
  room.style.setProperty("--cell", `${87 / across}%`);
  for (const [k, name] of names.entries()) {
    if (!onMap()) {
      const x = 0.01 + (0.98 * ((k % across) + 0.5)) / across;
      const y = 0.01 + (0.98 * (Math.floor(k / across) + 0.5)) / down;
      found.set(name, { x, y, px: x, py: y });
    } else if (own.has(name)) {
      const [px, py] = (own.get(name)[shown.projection] ?? own.get(name).pca)[shown.level];
      const inside = (v) => Math.min(0.96, Math.max(0.04, v));
      found.set(name, { x: inside(px), y: inside(py), px, py });
    } else {
      const [x, y, px, py] = tables[shown.projection].subarray(4 * (shown.level * classes.length + k));
      found.set(name, { x, y, px, py });
    }
  }
  return found;
}

// The centre of a thumbnail as it is shown now, in shares of the map's width and height.
function centre(name) {
  const { x, y } = spots.get(name) ?? { x: 0.5, y: 0.5 };
  const [dx, dy] = (plane() === "pca" && moved.get(name)) || [0, 0];
  return { x: x + dx, y: y + dy };
}

// ---- from place to screen and back ----

const zoomed = () => (onMap() ? view : { k: 1, x: 0, y: 0 });

function onScreen({ x, y }) {
  const now = zoomed();
  return { x: now.k * x * box.w + now.x, y: now.k * y * box.h + now.y };
}

function onPlane(x, y) {
  const now = zoomed();
  return { x: (x - now.x) / (now.k * box.w), y: (y - now.y) / (now.k * box.h) };
}

function pointer(event) {
  const edge = map.getBoundingClientRect();
  return { x: event.clientX - edge.left, y: event.clientY - edge.top };
}

function setView(k, x, y) {
  view.k = Math.min(MAX_ZOOM, Math.max(1, k));
  const reach = 0.25; // of the map: so far its edge may come into it
  const least = (extent) => extent - view.k * extent - (view.k > 1 ? reach * extent : 0);
  const largest = (extent) => (view.k > 1 ? reach * extent : 0);
  view.x = Math.min(largest(box.w), Math.max(least(box.w), x));
  view.y = Math.min(largest(box.h), Math.max(least(box.h), y));
  room.dataset.zoom = Number(view.k.toFixed(4));
  drawMap();
}

function zoom(factor, at = { x: box.w / 2, y: box.h / 2 }) {
  if (!onMap()) return;
  const k = Math.min(MAX_ZOOM, Math.max(1, view.k * factor));
  setView(k, at.x - ((at.x - view.x) * k) / view.k, at.y - ((at.y - view.y) * k) / view.k);
}

// ---- moves ----

// Calls step with shares from 0 to 1, eased; a new move under the same key ends the old one.
const moves = new Map();
function glide(key, ms, step) {
  cancelAnimationFrame(moves.get(key));
  if (stillness.matches || ms === 0) return step(1);
  const began = performance.now();
  const turn = (now) => {
    const t = Math.min(1, Math.max(0, (now - began) / ms));
    step(1 - (1 - t) ** 3);
    if (t < 1) moves.set(key, requestAnimationFrame(turn));
  };
  return moves.set(key, requestAnimationFrame(turn));
}

function arrange(ms = MOVE_MS) {
  place = null; // the pin was put in another view
  const goal = layout();
  for (const [name, dot] of dots) {
    dot.dataset.x = goal.get(name).x.toFixed(4);
    dot.dataset.y = goal.get(name).y.toFixed(4);
  }
  const start = new Map([...goal].map(([name, end]) => [name, { ...(spots.get(name) ?? end) }]));
  glide("dots", ms, (t) => {
    for (const [name, end] of goal) {
      const from = start.get(name);
      const now = {};
      for (const key of ["x", "y", "px", "py"]) now[key] = from[key] + t * (end[key] - from[key]);
      spots.set(name, now);
    }
    drawMap();
  });
}

// ---- drawing ----

function put(button, at) {
  const { x, y } = onScreen(at);
  button.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px) translate(-50%, -50%)`;
}

// Thumbnails and pin at once, so that they never lag behind the hand; canvases with the next frame.
function drawMap() {
  if (!dragging) moved.clear(); // during a drag, what leaves the mixture stays where it is
  for (const { name, move } of target()) if (move) moved.set(name, move);
  for (const [name, dot] of dots) put(dot, centre(name));
  drawPin();
  repaint();
}

let asked = false;
function repaint() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    paintGround();
    paintOver();
  });
}

let palette = null;
function colours() {
  if (palette) return palette;
  const style = getComputedStyle(room);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  palette = Object.fromEntries(["line", "quiet", "accent", "raised", "ink"].map((name) => [name, of(name)]));
  palette.dark = document.body.classList.contains("dark");
  return palette;
}
new MutationObserver(() => {
  palette = null;
  tint();
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });

function fit(context) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [Math.round(box.w * ratio), Math.round(box.h * ratio)];
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return ratio;
}

function strokes(context, pairs) {
  context.beginPath();
  for (const [from, to] of pairs) {
    const [a, b] = [onScreen(from), onScreen(to)];
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
  }
  context.stroke();
}

function paintOver() {
  const ratio = fit(over);
  over.setTransform(ratio, 0, 0, ratio, 0, 0);
  over.clearRect(0, 0, box.w, box.h);
  over.lineCap = "round";
  over.strokeStyle = colours().accent;
  const pin = pinPlace();
  over.globalAlpha = 0.55;
  for (const entry of target().filter((one) => dots.has(one.name))) {
    over.lineWidth = 1 + 5 * share(entry);
    strokes(over, [[pin, centre(entry.name)]]);
  }
  over.globalAlpha = 0.9;
  over.lineWidth = 1.5;
  over.setLineDash([3, 5]);
  if (plane() === "pca") strokes(over, [...moved.keys()].filter((name) => spots.has(name))
    .map((name) => [spots.get(name), centre(name)]));
  paintLasso();
  over.setLineDash([]);
  over.globalAlpha = 1;
  paintPaths();
}
