// The pin: what is dragged over the map. Follows target.js in the same function and shares its names.
// Where it lies decides the mixture: the nearest textures, weighted so that the weights change smoothly and a
// texture has all of it where the pin is on its thumbnail (Franke and Little's modified Shepard weights).
const mark = room.querySelector(".mark");
const NEAREST = 4; // textures that a place is mixed from
const STEP = 0.02; // of an arrow key, as a share of the map's width; a quarter of it with Shift
let place = null; // where the visitor has put it, and the target that was there, as text
let placed = null;
let dragging = false;

// The centre of a thumbnail in the view that is shown, as shares of the map's width and height.
function centre(name) {
  const { style } = dots.get(name);
  const [x, y] = room.dataset.view === "grid" ? ["--gx", "--gy"] : ["--x", "--y"];
  return { x: parseFloat(style.getPropertyValue(x)) / 100, y: parseFloat(style.getPropertyValue(y)) / 100 };
}

// Where it was put, for as long as that is the target; else the weighted mean of what is chosen.
function pinPlace() {
  if (place && placed === JSON.stringify(target())) return place;
  const mean = { x: 0, y: 0 };
  for (const entry of target()) {
    if (!dots.has(entry.name)) continue;
    const { x, y } = centre(entry.name);
    mean.x += share(entry) * x;
    mean.y += share(entry) * y;
  }
  return mean;
}

function weightsAt({ x, y }) {
  const height = map.clientHeight / map.clientWidth;
  const near = [...dots.keys()]
    .map((name) => ({ name, d: Math.hypot(centre(name).x - x, (centre(name).y - y) * height) }))
    .sort((a, b) => a.d - b.d);
  if (near[0].d < 1e-6 || near.length === 1) return [{ name: near[0].name, weight: 100 }];
  const reach = near[NEAREST]?.d ?? 2 * near.at(-1).d; // of the next one, whose weight is 0 there
  const inside = near.slice(0, NEAREST).filter((one) => one.d < reach);
  const parts = inside.map(({ name, d }) => ({ name, weight: ((reach - d) / (reach * d)) ** 2 }));
  const total = parts.reduce((sum, one) => sum + one.weight, 0);
  return parts
    .map(({ name, weight }) => ({ name, weight: Math.round((1e5 * weight) / total) / 1e3 }))
    .filter((one) => one.weight > 0);
}

function putPin(x, y) {
  place = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
  const value = weightsAt(place);
  placed = JSON.stringify(value);
  props.value = value;
  draw();
  document.dispatchEvent(new CustomEvent("fgsd:move", { detail: value }));
}

function follow(event) {
  const box = map.getBoundingClientRect();
  putPin((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}

// Others on the page hear of it: a picture that follows the hand is shown only while it moves.
function hold(now) {
  dragging = now;
  room.classList.toggle("dragging", now);
  document.dispatchEvent(new CustomEvent("fgsd:drag", { detail: now }));
  if (now) trigger("select");
}

map.addEventListener("pointerdown", (event) => {
  const free = event.target.closest(".mark") || !event.target.closest(".dot");
  if (!free || event.button !== 0) return;
  map.setPointerCapture(event.pointerId);
  event.preventDefault();
  mark.focus({ preventScroll: true });
  hold(true);
  if (!event.target.closest(".mark")) follow(event);
});
map.addEventListener("pointermove", (event) => dragging && follow(event));
for (const kind of ["pointerup", "pointercancel"]) {
  map.addEventListener(kind, () => {
    if (!dragging) return;
    hold(false);
    trigger("release");
  });
}
mark.addEventListener("keydown", (event) => {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key in ways) {
    event.preventDefault();
    if (!dragging) hold(true);
    const size = event.shiftKey ? STEP / 4 : STEP;
    const { x, y } = pinPlace();
    putPin(x + size * ways[event.key][0], y + size * ways[event.key][1] * (map.clientWidth / map.clientHeight));
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (dragging) hold(false);
    trigger("release");
  }
});

// fingers need the larger thumbnails of the grid
if (window.matchMedia("(max-width: 700px)").matches) arrange("grid");
new ResizeObserver(drawPin).observe(map);
say(invitation);
watch("value", draw);
draw();
