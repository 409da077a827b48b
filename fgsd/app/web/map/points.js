// Every training crop as a point, written straight into the pixels of a canvas: 100,000 of them move smoothly.
const count = Number(room.dataset.crops);
const crops = { at: null, labels: null, values: null }; // places (x, y, x, y, ...), rows of classes, bytes
const inks = new Uint32Array(count); // colour of each crop, its alpha left out
const REACH = 8; // pixels within which the pointer finds a crop
const VIRIDIS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"];
const answers = new Map(); // what the server has answered, by function and arguments
let sheet = null; // the pixels of the canvas
let pixels = null; // the same as whole numbers, one a pixel
let lit = null; // name of the class whose crops stand out

function ask(name, argument) {
  const key = name + JSON.stringify(argument);
  if (!answers.has(key)) {
    const answer = server[name](argument).then((found) => {
      if (found.error) throw new Error(found.error);
      return found;
    });
    answer.catch(() => answers.delete(key));
    answers.set(key, answer);
  }
  return answers.get(key);
}

async function placesOf(projection, level) {
  const found = await ask("map_points", { projection, level });
  found.places ??= unpack(found.points);
  return found.places;
}

async function showCrops(ms = MOVE_MS) {
  if (!count) return;
  const { projection, level } = shown;
  const goal = await placesOf(projection, level).catch(() => null);
  if (!goal || projection !== shown.projection || level !== shown.level) return; // the newest wish wins
  if (!crops.labels) {
    crops.labels = new Uint16Array(decode((await ask("map_labels", null)).labels).buffer);
    tint();
  }
  const start = crops.at?.slice() ?? goal;
  crops.at ??= goal.slice();
  glide("crops", start === goal ? 0 : ms, (t) => {
    for (let k = 0; k < goal.length; k += 1) crops.at[k] = start[k] + t * (goal[k] - start[k]);
    repaint();
  });
  room.dataset.points = `${projection}-${level}`;
  if (count <= 20000) { // the next ones are then there when they are wanted
    const ahead = [[projection, level + 1], [projection, level - 1], ...projections.map((p) => [p, level])];
    for (const [p, l] of ahead) if (l >= 0 && l < sigmas.length) placesOf(p, l).catch(() => null);
  }
}

// ---- colours ----

// A colour moved towards white or black until it stands out from the ground.
function legible(rgb, dark) {
  const light = (0.21 * rgb[0] + 0.72 * rgb[1] + 0.07 * rgb[2]) / 255;
  const [low, high] = dark ? [0.42, 0.9] : [0.12, 0.58];
  if (light < low) return rgb.map((v) => v + ((255 - v) * (low - light)) / (1 - light));
  return light > high ? rgb.map((v) => (v * high) / light) : rgb;
}

const ink = (rgb) => (Math.round(rgb[2]) << 16) | (Math.round(rgb[1]) << 8) | Math.round(rgb[0]);

function ramp(share) {
  const at = share * (VIRIDIS.length - 1);
  const [one, next] = [Math.floor(at), Math.min(VIRIDIS.length - 1, Math.floor(at) + 1)].map((k) =>
    [0, 2, 4].map((c) => parseInt(VIRIDIS[k].slice(c, c + 2), 16)),
  );
  return one.map((v, c) => v + (at - Math.floor(at)) * (next[c] - v));
}

function tint() {
  if (!crops.labels) return repaint();
  const { dark } = colours();
  const means = decode(room.dataset.colours);
  const byClass = classes.map((_, k) => ink(legible([...means.subarray(3 * k, 3 * k + 3)], dark)));
  const byValue = crops.values && Array.from({ length: 256 }, (_, k) => ink(ramp(k / 255)));
  for (let k = 0; k < count; k += 1) inks[k] = crops.values ? byValue[crops.values[k]] : byClass[crops.labels[k]];
  return repaint();
}

// ---- drawing ----

// What a point is made of: offsets and alphas, faint corners first so that it looks round.
function stamp(ratio, solid) {
  const size = Math.round((count > 20000 ? 2 : 3) * ratio * Math.min(2, view.k ** 0.4));
  const middle = (size - 1) / 2;
  const parts = [];
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const edge = Math.hypot(x - middle, y - middle) > size / 2 - 0.2 && size > 2;
      parts.push([x - Math.floor(middle), y - Math.floor(middle), Math.round(255 * solid * (edge ? 0.4 : 1))]);
    }
  }
  return parts.sort((a, b) => a[2] - b[2]);
}

function scatter(chosen, alpha, ratio) {
  const { width, height } = ground.canvas;
  const parts = stamp(ratio, alpha);
  const offsets = Int32Array.from(parts, ([x, y]) => y * width + x);
  const alphas = Uint32Array.from(parts, (part) => (part[2] << 24) >>> 0);
  const [sx, sy] = [view.k * box.w * ratio, view.k * box.h * ratio];
  const [ox, oy] = [view.x * ratio, view.y * ratio];
  const { at, labels } = crops;
  const edge = 7; // more than half of the largest point
  for (let k = 0; k < count; k += 1) {
    if (chosen && !chosen[labels[k]]) continue;
    const x = Math.round(at[2 * k] * sx + ox);
    const y = Math.round(at[2 * k + 1] * sy + oy);
    if (x < edge || y < edge || x >= width - edge || y >= height - edge) continue;
    const middle = y * width + x;
    for (let p = 0; p < offsets.length; p += 1) {
      const there = middle + offsets[p];
      if (pixels[there] >>> 24 <= alphas[p] >>> 24) pixels[there] = inks[k] | alphas[p];
    }
  }
}

function paintGround() {
  const ratio = fit(ground);
  const { width, height } = ground.canvas;
  ground.setTransform(1, 0, 0, 1, 0, 0);
  ground.clearRect(0, 0, width, height);
  if (!onMap()) return;
  if (crops.at && crops.labels) {
    if (sheet?.width !== width || sheet?.height !== height) {
      sheet = ground.createImageData(width, height);
      pixels = new Uint32Array(sheet.data.buffer);
    }
    pixels.fill(0);
    const names = lit ? [lit] : target().map((entry) => entry.name);
    const chosen = Uint8Array.from(classes, (name) => names.includes(name));
    scatter(null, lit ? 0.25 : 0.5, ratio);
    scatter(chosen, 1, ratio);
    ground.putImageData(sheet, 0, 0);
  }
  paintStems(ratio);
}

// From each thumbnail to where its class really lies.
function paintStems(ratio) {
  ground.setTransform(ratio, 0, 0, ratio, 0, 0);
  ground.strokeStyle = colours().quiet;
  ground.globalAlpha = 0.35;
  ground.lineWidth = 1;
  const ends = [...spots].map(([name, { px, py }]) => {
    const at = centre(name);
    const home = spots.get(name);
    return [at, { x: px + at.x - home.x, y: py + at.y - home.y }];
  });
  strokes(ground, ends);
  ground.globalAlpha = 1;
  ground.fillStyle = colours().quiet;
  for (const [, end] of ends) {
    const { x, y } = onScreen(end);
    ground.beginPath();
    ground.arc(x, y, 1.6, 0, 2 * Math.PI);
    ground.fill();
  }
}

function light(name) {
  if (name === lit) return;
  lit = name;
  repaint();
}

// ---- the crop under the pointer ----

const peek = room.querySelector(".tooltip");
let peeked = -1;

function cropAt({ x, y }) {
  if (!onMap() || !crops.at) return -1;
  const at = onPlane(x, y);
  const [sx, sy] = [view.k * box.w, view.k * box.h];
  let [best, found] = [REACH ** 2, -1];
  for (let k = 0; k < count; k += 1) {
    const d = ((crops.at[2 * k] - at.x) * sx) ** 2 + ((crops.at[2 * k + 1] - at.y) * sy) ** 2;
    if (d < best) [best, found] = [d, k];
  }
  return found;
}

async function look(at) {
  const crop = at ? cropAt(at) : -1;
  if (crop === peeked) return;
  peeked = crop;
  if (crop < 0) {
    peek.hidden = true;
    return light(null);
  }
  light(classes[crops.labels[crop]]);
  const found = await ask("map_crop", { crop, level: shown.level }).catch(() => null);
  if (!found || peeked !== crop) return;
  const image = peek.querySelector("img");
  image.hidden = !found.src;
  if (found.src) image.src = found.src;
  const near = found.near.map(([name, distance]) => make("li", {}, `${name} `, make("i", {
    textContent: distance.toFixed(2) })));
  peek.querySelector("figcaption").replaceChildren(make("b", { textContent: found.name }),
    make("span", { textContent: "nearest centroids" }), make("ol", {}, ...near));
  const spot = onScreen({ x: crops.at[2 * crop], y: crops.at[2 * crop + 1] });
  peek.hidden = false;
  const left = spot.x + 14 + peek.offsetWidth > box.w ? spot.x - 14 - peek.offsetWidth : spot.x + 14;
  const top = Math.min(box.h - peek.offsetHeight - 6, Math.max(6, spot.y - peek.offsetHeight / 2));
  peek.style.transform = `translate(${Math.max(6, left)}px, ${top}px)`;
}
