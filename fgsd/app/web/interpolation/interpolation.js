// The room between textures: what arrives, and what the visitor does. Runs once, inside a function of (element,
// trigger, props, server, upload, watch); between_show.js follows in the same function and draws.
// The value is {run} with {frame}, {need}, {error} or {stopped}; see between_room.py.
const room = element.querySelector(".interpolation");
const stage = room.querySelector(".stage");
const way = room.querySelector(".way");
const home = room.querySelector(".home");
const ask = room.querySelector(".ask");
const message = room.querySelector(".error");
const spoken = room.querySelector(".status");
const progress = room.querySelector(".condensing");
const places = room.querySelector(".places select");
const switching = room.querySelector(".switching");
const slider = switching.querySelector("input");
const playing = room.querySelector(".playing");
const scrub = playing.querySelector("input");
const stops = JSON.parse(room.dataset.stops); // noise levels, increasing
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

let mode = "sample";
let frame = null; // the one on screen
let order = 0; // decoding is asynchronous, older frames must not win
let shown = 0;
let holding = false; // the slider is in the visitor's hand, and the picture follows it
let visitor = null; // by whom the server finds the visitor's own textures
let settings = null; // values of the controls, in their order
let newest = null; // place of the slider that is still to be asked for
let asking = false;
let decoded = new Map(); // data URI to its cells: the sheets of a loop come again with each frame

const percent = (share) => `${Math.round(100 * share)} %`;
const inWords = (weights) =>
  Object.entries(weights)
    .map(([name, share]) => `${percent(share)} ${name}`)
    .join(" · ");

function tell(kind, changes) {
  document.dispatchEvent(new CustomEvent("fgsd:interpolation", { detail: { kind, changes } }));
}

const gone = () => document.dispatchEvent(new CustomEvent("fgsd:lost")) && {};

// ---- what arrives ----

async function cellsOf(sheet) {
  const image = new Image();
  image.src = sheet.src;
  await image.decode();
  const { columns, side, places } = sheet;
  return Promise.all(
    places.map((_, k) =>
      createImageBitmap(image, (k % columns) * side, Math.floor(k / columns) * side, side, side),
    ),
  );
}

async function show(next) {
  order += 1;
  const mine = order;
  const { run } = room.dataset;
  const fresh = new Map();
  const pictures = []; // by place
  for (const sheet of next.sheets) {
    const cells = decoded.get(sheet.src) ?? (await cellsOf(sheet));
    fresh.set(sheet.src, cells);
    for (const [k, all] of sheet.places.entries()) for (const place of all) pictures[place] = cells[k];
  }
  if (mine < shown || run !== room.dataset.run || next.mode !== mode || (next.live && !holding)) return;
  shown = mine;
  decoded = fresh;
  frame = { ...next, pictures };
  paint();
  const done = frame.last && !frame.live;
  Object.assign(room.dataset, { index: frame.index, done, live: Boolean(frame.live) });
  progress.setAttribute("aria-valuemax", frame.steps);
  progress.setAttribute("aria-valuenow", frame.index);
  progress.style.setProperty("--share", frame.index / frame.steps);
  const what = frame.count === 1 ? "1 picture" : `${frame.count} pictures`;
  const words = [what, `${frame.size} px`, `step ${frame.index} / ${frame.steps}`];
  room.querySelector(".reads").textContent = [
    ...words,
    `${frame.ms < 10 ? frame.ms.toFixed(1) : Math.round(frame.ms)} ms a step`,
    frame.device,
  ].join("  ·  ");
  offer(done ? frame.files : {});
  if (done) spoken.textContent = `Finished: ${mode} of ${frame.label}.`;
}

function receive(value) {
  if (!value || typeof value !== "object" || value.run < Number(room.dataset.run ?? 0)) return;
  if (value.live && !holding) return; // it was on its way when the visitor let go
  if (value.link) document.dispatchEvent(new CustomEvent("fgsd:linked", { detail: value.link }));
  if (String(value.run) !== room.dataset.run) {
    Object.assign(room.dataset, { run: value.run, index: 0, done: false });
    spoken.textContent = "";
    if (value.run) offer({});
  }
  message.hidden = !value.error;
  message.textContent = value.error ?? "";
  room.classList.toggle("stopped", Boolean(value.stopped || value.error));
  if (value.stopped) spoken.textContent = "Stopped.";
  const running = !(value.stopped || value.error || value.need || value.frame?.last);
  if (!value.live) document.dispatchEvent(new CustomEvent("fgsd:running", { detail: { run: value.run, running } }));
  if (value.need) {
    clear();
    ask.querySelector("p").textContent = value.need.sentence;
    ask.querySelector("button").textContent = value.need.button;
    ask.querySelector("button").hidden = !value.need.button;
    room.dataset.done = true;
  }
  if (value.need || value.frame) room.classList.toggle("needs", Boolean(value.need));
  ask.hidden = !room.classList.contains("needs");
  if (value.frame) show({ ...value.frame, live: value.live });
}

// ---- the mode ----

function arrange({ detail }) {
  if (detail.mode !== mode) {
    mode = detail.mode;
    clear();
    room.classList.remove("needs");
    ask.hidden = true;
    message.hidden = true;
  }
  room.dataset.mode = mode;
  room.querySelector(".places").hidden = mode !== "strip";
  switching.hidden = mode !== "coarse-fine";
  playing.hidden = mode !== "loop";
  if (!holding) slider.value = stops.length - 1 - nearest(detail.switch);
  drawSwitch();
}

function nearest(sigma) {
  const gaps = stops.map((stop) => Math.abs(Math.log(stop / sigma)));
  return gaps.indexOf(Math.min(...gaps));
}

function clear() {
  frame = null;
  shown = order;
  pace();
  stage.replaceChildren();
  delete stage.dataset.made;
  way.textContent = "";
  room.querySelector(".reads").textContent = "";
  progress.style.setProperty("--share", 0);
  offer({});
}

// ---- taking it home ----

function offer(files) {
  const kinds = Object.keys(files);
  const wanted = kinds.length ? [...kinds, "link"] : [];
  const words = { png: "Save", link: "Link" };
  const titles = {
    png: "Save all of it as PNG, pixel for pixel",
    gif: "Save the loop as GIF",
    mp4: "Save the loop as video",
    link: "Copy an address that gives these pictures",
  };
  home.replaceChildren(
    ...wanted.map((kind) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", title: titles[kind] });
      button.textContent = words[kind] ?? kind.toUpperCase();
      button.dataset.keep = kind;
      return button;
    }),
  );
}

home.addEventListener("click", async (event) => {
  const kind = event.target.dataset.keep;
  if (kind === "link") {
    try {
      await navigator.clipboard.writeText(location.href);
      spoken.textContent = "Link copied.";
    } catch {
      window.prompt("Copy this address:", location.href);
    }
  } else if (kind) {
    // browsers refuse to save long data URIs, but not what they hold
    const url = URL.createObjectURL(await (await fetch(frame.files[kind])).blob());
    const link = document.createElement("a");
    Object.assign(link, { href: url, download: `${frame.name}.${kind}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
});

// ---- the controls of the modes ----

ask.querySelector("button").addEventListener("click", () => trigger("input"));
switching.querySelector(".swap").addEventListener("click", () => trigger("release"));
places.addEventListener("change", () => tell("release", { places: Number(places.value) }));
const switchNow = () => ({ switch: stops[stops.length - 1 - Number(slider.value)] });
slider.max = stops.length - 1;
slider.addEventListener("input", () => {
  drawSwitch();
  if (!holding) tell("select", {});
  holding = true;
  follow(switchNow());
});
slider.addEventListener("change", () => {
  holding = false;
  tell("release", switchNow());
});

// ---- the picture that follows the slider: one is asked for at a time, always for its newest place ----

async function follow(now) {
  newest = now;
  if (asking) return;
  asking = true;
  try {
    while (newest && holding && frame) {
      const asked = { target: frame.chosen, settings, visitor, interpolation: { mode, ...newest } };
      newest = null;
      const { frame: live, error } = await server.preview(asked).catch(gone);
      // between two runs: what the run before still sends is ignored, the next one counts on
      const run = Math.floor(Number(room.dataset.run)) + 0.5;
      if (live || error) receive({ run, live: true, frame: live, error });
    }
  } finally {
    asking = false;
  }
}

document.addEventListener("fgsd:visitor", (event) => (visitor = event.detail));
document.addEventListener("fgsd:settings", (event) => (settings = event.detail));
