// The picture room. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// The value holds the steps of a run so far; each image gets a canvas of its own, so that enlarging one image
// never mixes in the edge of its neighbour. What came last, pixel for pixel, is kept in `.source`.
const room = element.querySelector(".picture");
const panes = [room.querySelector(".tiles"), room.querySelector(".beside")];
const message = room.querySelector(".message");
const spoken = room.querySelector(".spoken");
const source = room.querySelector(".source");
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const names = room.dataset.settings.split(","); // of the controls, in the order of `fgsd:settings`
const MAX_PIXELS = 1024; // side that an image is enlarged to at most
const CAPTIONS = { noise: "noisy image", estimate: "denoised estimate" };

let steps = []; // of the run: step k is at k - 1; one that the browser has passed over comes at the end
let played = 0; // number of the run that these are of
let shown = 0; // order number of the frame on screen: decoding is asynchronous, older ones must not win
let order = 0;
let onScreen = null; // the frame
let following = true; // the newest step is shown as it comes; not while the visitor looks at another one
let live = false; // the pin is in the visitor's hand, and the picture follows it
let linked = null; // the run whose link is in the address
let first = ""; // link of the first screen, whose address holds none
let view = "noise";
let tiled = false; // each image is shown 3 x 3 times

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function read(name, text) {
  room.querySelector(`[data-read="${name}"]`).textContent = text;
}

function readOuts(frame) {
  read("step", `${frame.index} / ${frame.steps}`);
  read("sigma", frame.sigma.toFixed(frame.sigma < 1 ? 3 : 2));
  read("distance", frame.distance?.toFixed(2) ?? "–");
  read("ms", frame.ms < 10 ? frame.ms.toFixed(1) : Math.round(frame.ms));
  read("evaluations", frame.evaluations);
  read("device", frame.device);
}

// ---- painting ----

function canvases(pane, n, columns) {
  if (pane.children.length !== n) {
    pane.replaceChildren(...Array.from({ length: n }, () => document.createElement("canvas")));
  }
  pane.style.setProperty("--columns", columns);
  return [...pane.children];
}

function paintPane(pane, { n, columns, side, tileable }, image) {
  const sheet = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  sheet.drawImage(image, 0, 0);
  const all = canvases(pane, n, columns);
  const times = tiled && tileable ? 3 : 1;
  const space = Math.min(MAX_PIXELS, Math.round(all[0].clientWidth * window.devicePixelRatio));
  const out = Math.round(space / times);
  const larger = out > side;
  const kernel = larger ? lanczosTaps(side, out, times > 1) : null;
  for (const [k, canvas] of all.entries()) {
    const pixels = sheet.getImageData((k % columns) * side, Math.floor(k / columns) * side, side, side);
    const one = larger ? enlarge(pixels, out, kernel) : pixels;
    const extent = one.width * times;
    if (canvas.width !== extent) Object.assign(canvas, { width: extent, height: extent });
    for (let copy = 0; copy < times ** 2; copy += 1) {
      const place = [copy % times, Math.floor(copy / times)].map((at) => at * one.width);
      canvas.getContext("2d").putImageData(one, ...place);
    }
  }
}

// A picture that follows the pin is shown alone, as large as can be.
function viewsOf(frame) {
  if (frame.live) return ["noise"];
  return view === "both" ? ["noise", "estimate"] : [view];
}

function paint(frame, images) {
  const views = viewsOf(frame);
  room.dataset.view = views.length > 1 ? "both" : views[0];
  panes[1].parentElement.hidden = views.length < 2;
  if (views.length < 2) panes[1].replaceChildren();
  for (const [k, name] of views.entries()) {
    panes[k].parentElement.querySelector("figcaption").textContent = frame.last ? "sample" : CAPTIONS[name];
    paintPane(panes[k], frame, images[k]);
  }
  if (frame.last && !frame.live) arrived(frame);
  else if (following || frame.live) source.src = frame.src;
  onScreen = frame;
  room.dataset.index = frame.index;
  room.dataset.preview = Boolean(frame.live);
  room.dataset.tiled = tiled && frame.tileable;
  if (frame.live) room.dataset.done = false;
  room.dataset.name = frame.name;
  readOuts(frame);
  drawTimeline();
  if (frame.path) tell("fgsd:path", { run: played, index: frame.index, places: frame.path });
  tell("fgsd:frame", { run: played, ...frame });
}

async function show(frame) {
  order += 1;
  const mine = order;
  const { run } = room.dataset;
  const images = await Promise.all(
    viewsOf(frame).map(async (name) => {
      const image = new Image();
      image.src = (name === "estimate" && frame.estimate) || frame.src;
      await image.decode();
      return image;
    }),
  );
  if (mine < shown || run !== room.dataset.run || (frame.live && !live)) return;
  shown = mine;
  paint(frame, images);
}

// The samples are there, whether they are looked at or an earlier step is.
function arrived(frame) {
  source.src = frame.src;
  room.dataset.done = true;
}

// ---- what comes ----

function receive(value) {
  if (!value || typeof value !== "object") return;
  if (value.run < Number(room.dataset.run ?? 0)) return;
  if (value.live && !live) return; // it was on its way when the visitor let go
  if (value.stopped) room.dataset.run = value.run; // what came can still be looked at, nothing else will come
  else if (String(value.run) !== room.dataset.run) begin(value.run);
  setAddress(value);
  message.hidden = !value.error;
  message.textContent = value.error ?? "";
  room.classList.toggle("stopped", Boolean(value.stopped || value.error));
  if (value.stopped) spoken.textContent = "Stopped.";
  const frames = Object.values(value.frames ?? {}); // by index
  const ended = value.stopped || value.error || frames.at(-1)?.last;
  if (!value.live) tell("fgsd:running", { run: value.run, running: !ended });
  if (frames.length) take(value, frames);
}

function begin(run) {
  room.dataset.run = run;
  played = run;
  room.dataset.index = 0;
  room.dataset.done = false;
  spoken.textContent = "";
  steps = [];
  pause();
  following = true;
  drawTimeline();
}

function take(value, frames) {
  const newest = frames.at(-1);
  if (value.live) {
    show({ ...newest, live: true });
    return;
  }
  const fresh = frames.filter((frame) => !steps[frame.index - 1]); // the value holds older ones too
  if (!fresh.length) return;
  for (const frame of fresh) {
    steps[frame.index - 1] = frame;
    if (frame.path) tell("fgsd:path", { run: value.run, index: frame.index, places: frame.path });
  }
  drawTimeline();
  const what = `${newest.n} ${newest.n === 1 ? "sample" : "samples"} of ${newest.label}`;
  if (newest.last) panes[0].setAttribute("aria-label", what);
  if (newest.last && value.run !== 0) spoken.textContent = `Finished: ${what}.`;
  if (value.run === 0 && !calm) play(1, WELCOME_MS);
  else if (following) show(newest);
  else if (newest.last) arrived(newest);
}

const withView = (link) => link.replace(/([?&]watch=)[a-z]+/, `$1${view}`);

function setAddress(value) {
  if (value.first) first = value.first;
  if (value.link === "") history.replaceState(history.state, "", location.pathname);
  if (!value.link || linked === value.run) return;
  linked = value.run;
  room.dataset.link = value.link; // of the run on the screen
  remember(withView(value.link), withView(first));
}

// What is watched changes at once: every step has both pictures.
function watchAs(now) {
  if (now === view) return;
  view = now;
  tell("fgsd:view", view);
  if (location.search.includes("mix=")) {
    history.replaceState(history.state, "", withView(location.search));
  }
  if (onScreen && !onScreen.live) show(onScreen);
}

travel(() => withView(first), (query) => trigger("input", { query }));
document.addEventListener("fgsd:linked", (event) => remember(event.detail, withView(first))); // of another room
document.addEventListener("fgsd:drag", (event) => (live = event.detail));
document.addEventListener("fgsd:settings", (event) => watchAs(event.detail[names.indexOf("view")]));
document.addEventListener("fgsd:tile", (event) => {
  tiled = event.detail;
  if (onScreen) show(onScreen);
});
document.addEventListener("fgsd:error", (event) => {
  message.hidden = !event.detail;
  message.textContent = event.detail;
});
