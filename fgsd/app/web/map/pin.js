// The pin: what is dragged over the map. Where it lies decides the mixture: the nearest textures, with weights
// (1 - d / R)^2 / d, R being the distance of the first one that is left out. A texture has all of it where the
// pin is on its thumbnail; between two that stand apart the weights change evenly; none jumps.
const mark = room.querySelector(".mark");
const NEAREST = 4; // textures that a place is mixed from
const STEP = 0.02; // of an arrow key, as a share of the map's width; a quarter of it with Shift
const reach = Number(room.dataset.reach); // of a move, in widths and heights of the map
let place = null; // where the visitor has put it, and the target that was there, as text
let placed = null;
let dragging = false;

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

function drawPin() {
  put(mark, pinPlace());
  const words = target().map((entry) => `${percent(entry)} % ${entry.name}`).join(", ");
  mark.setAttribute("aria-label", `Pin at ${words}. Arrow keys move it, Enter samples.`);
}

function weightsAt({ x, y }) {
  const height = box.h / box.w;
  const near = [...dots.keys()]
    .map((name) => ({ name, d: Math.hypot(centre(name).x - x, (centre(name).y - y) * height) }))
    .sort((a, b) => a.d - b.d);
  const entry = (name, weight) => (moved.has(name) ? { name, weight, move: moved.get(name) } : { name, weight });
  if (near[0].d < 1e-6 || near.length === 1) return [entry(near[0].name, 100)];
  const limit = near[NEAREST]?.d ?? 2 * near.at(-1).d; // of the next one, whose weight is 0 there
  const inside = near.slice(0, NEAREST).filter((one) => one.d < limit);
  const parts = inside.map(({ name, d }) => ({ name, weight: (1 - d / limit) ** 2 / d }));
  const total = parts.reduce((sum, one) => sum + one.weight, 0);
  return parts
    .map(({ name, weight }) => entry(name, Math.round((1e5 * weight) / total) / 1e3))
    .filter((one) => one.weight > 0);
}

function putPin(x, y) {
  const inside = (v) => Math.min(1, Math.max(0, v));
  place = { x: inside(x), y: inside(y) };
  const value = weightsAt(place);
  placed = JSON.stringify(value);
  props.value = value;
  draw();
  document.dispatchEvent(new CustomEvent("fgsd:move", { detail: value }));
}

// A class dragged over the plane of PCA: the move is exact, see `FeatureMap.moved`.
function putMove(name, dx, dy) {
  const near = (v) => Math.round(1e4 * Math.min(reach, Math.max(-reach, v))) / 1e4;
  props.value = target().map((e) => (e.name === name ? { ...e, move: [near(dx), near(dy)] } : e));
  draw();
  document.dispatchEvent(new CustomEvent("fgsd:move", { detail: target() }));
}

// Others on the page hear of it: a picture that follows the hand is shown only while it moves.
function hold(now) {
  dragging = now;
  room.classList.toggle("dragging", now);
  document.dispatchEvent(new CustomEvent("fgsd:drag", { detail: now }));
  if (now) trigger("select");
}

function letGo() {
  if (!dragging) return;
  hold(false);
  drawMap(); // what has left the mixture goes home
  trigger("release");
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// A step of the arrow keys, in widths and heights of the map: as long on the screen however far it is zoomed.
function stride(event) {
  const size = (event.shiftKey ? STEP / 4 : STEP) / zoomed().k;
  const [across, down] = WAYS[event.key];
  return [size * across, (size * down * box.w) / box.h];
}

mark.addEventListener("keydown", (event) => {
  if (event.key in WAYS) {
    event.preventDefault();
    if (!dragging) hold(true);
    const [dx, dy] = stride(event);
    const { x, y } = pinPlace();
    putPin(x + dx, y + dy);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (dragging) letGo();
    else trigger("release");
  }
});
