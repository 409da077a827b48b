// The picture room. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// The value holds new frames of a run; each image gets a canvas of its own, so that enlarging one image
// never mixes in the edge of its neighbour. What came last, pixel for pixel, is kept in `.source`.
const room = element.querySelector(".picture");
const tiles = room.querySelector(".tiles");
const progress = room.querySelector(".progress");
const message = room.querySelector(".message");
const spoken = room.querySelector(".spoken");
const source = room.querySelector(".source");
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const MOST_PIXELS = 1024; // side that an image is enlarged to at most
const PLAY_MS = 30; // between frames that arrived together

let waiting = []; // frames still to be shown
let shown = 0; // order number of the frame on screen: decoding is asynchronous, older ones must not win
let order = 0;
let timer = null;
let began = 0; // when the frames that are waiting began to play
let played = 0; // how many of them have been shown or left out
let first = ""; // link of the first screen
let live = false; // the pin is in the visitor's hand, and the picture follows it

function read(name, text) {
  room.querySelector(`[data-read="${name}"]`).textContent = text;
}

function canvases(n, columns) {
  if (tiles.children.length !== n) {
    tiles.replaceChildren(...Array.from({ length: n }, () => document.createElement("canvas")));
  }
  tiles.style.setProperty("--columns", columns);
  return [...tiles.children];
}

function paint(frame, image) {
  const { n, columns, side } = frame;
  source.src = frame.src;
  const sheet = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  sheet.drawImage(image, 0, 0);
  const all = canvases(n, columns);
  const out = Math.min(MOST_PIXELS, Math.round(all[0].clientWidth * window.devicePixelRatio));
  const larger = out > side;
  const kernel = larger ? lanczosTaps(side, out) : null;
  for (const [k, canvas] of all.entries()) {
    const pixels = sheet.getImageData((k % columns) * side, Math.floor(k / columns) * side, side, side);
    const extent = larger ? out : side;
    if (canvas.width !== extent) Object.assign(canvas, { width: extent, height: extent });
    canvas.getContext("2d").putImageData(larger ? enlarge(pixels, out, kernel) : pixels, 0, 0);
  }
  room.dataset.index = frame.index;
  room.dataset.done = frame.last && !frame.live;
  room.dataset.live = Boolean(frame.live);
  room.dataset.name = frame.name;
  progress.setAttribute("aria-valuemax", frame.steps);
  progress.setAttribute("aria-valuenow", frame.index);
  progress.style.setProperty("--share", frame.index / frame.steps);
  read("step", `${frame.index} / ${frame.steps}`);
  read("sigma", frame.sigma.toFixed(frame.sigma < 1 ? 3 : 2));
  read("ms", frame.ms < 10 ? frame.ms.toFixed(1) : Math.round(frame.ms));
  read("evaluations", frame.evaluations);
  read("device", frame.device);
  if (frame.last && !frame.live) {
    const what = `${frame.n} ${frame.n === 1 ? "sample" : "samples"} of ${frame.label}`;
    tiles.setAttribute("aria-label", what);
    if (room.dataset.run !== "0") spoken.textContent = `Finished: ${what}.`;
  }
}

async function show(frame) {
  order += 1;
  const mine = order;
  const { run } = room.dataset;
  const image = new Image();
  image.src = frame.src;
  await image.decode();
  if (mine < shown || run !== room.dataset.run || (frame.live && !live)) return;
  shown = mine;
  paint(frame, image);
}

// Frames that arrived together play at a steady pace; on a busy machine those that are late are left out.
function play() {
  timer = null;
  if (!waiting.length) return;
  const due = Math.floor((performance.now() - began) / PLAY_MS);
  waiting.splice(0, Math.min(waiting.length - 1, due - played));
  show(waiting.shift());
  played = due + 1;
  if (waiting.length) timer = setTimeout(play, PLAY_MS);
}

function take() {
  const value = props.value;
  if (!value || typeof value !== "object") return;
  if (value.run < Number(room.dataset.run ?? 0)) return;
  if (value.live && !live) return; // it was on its way when the visitor let go
  if (value.first) first = value.first;
  if (value.link === "") history.replaceState(history.state, "", location.pathname);
  else if (value.link) remember(value.link, first);
  if (value.link) room.dataset.link = value.link; // of the run on the screen
  if (String(value.run) !== room.dataset.run) {
    room.dataset.run = value.run;
    room.dataset.index = 0;
    room.dataset.done = false;
    waiting = [];
    spoken.textContent = "";
  }
  message.hidden = !value.error;
  message.textContent = value.error ?? "";
  room.classList.toggle("stopped", Boolean(value.stopped || value.error));
  if (value.stopped) spoken.textContent = "Stopped.";
  for (const frame of value.frames ?? []) waiting.push({ ...frame, live: value.live });
  if (calm) waiting = waiting.slice(-1);
  // frames of a live run come one at a time: what is left of the last is late already
  if (value.run !== 0) waiting = waiting.slice(-1);
  if (timer !== null) return;
  began = performance.now();
  played = 0;
  play();
}

// ---- taking it home ----

async function savePng() {
  const image = new Image();
  image.src = source.src;
  await image.decode();
  const sheet = document.createElement("canvas");
  Object.assign(sheet, { width: image.width, height: image.height });
  sheet.getContext("2d").drawImage(image, 0, 0);
  const link = document.createElement("a");
  link.href = sheet.toDataURL("image/png");
  link.download = `${room.dataset.name}.png`;
  link.click();
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    spoken.textContent = "Link copied.";
  } catch {
    window.prompt("Copy this address:", location.href); // where the browser keeps the clipboard to itself
  }
}

room.querySelector(".keep").addEventListener("click", (event) => {
  const { keep } = event.target.dataset;
  if (keep === "png") savePng();
  else if (keep === "link") copyLink();
});

travel(() => first, (query) => trigger("input", { query }));
document.addEventListener("fgsd:drag", (event) => (live = event.detail));
watch("value", take);
take();
