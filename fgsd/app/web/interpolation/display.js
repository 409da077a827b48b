// The pictures between textures. Follows between.js in the same function and shares its names.
const CAPTIONS = [
  "Guided: one noise, the target moves. Click one to take it.",
  "Pixel blend: the end pictures faded into each other",
  "Unguided: the same noise, no texture asked for",
];
let closer = null; // place of the strip that is shown large
let position = 0; // place of the loop that is on screen
let running = !calm;
let timer = null; // of the loop that plays

function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// Small pictures keep their own pixels; the browser enlarges them a little.
function draw(canvas, picture) {
  if (!picture) return;
  if (canvas.width !== picture.width) Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

function drawLarge(canvas, picture) {
  const out = Math.min(1024, Math.round(canvas.clientWidth * window.devicePixelRatio));
  if (!picture || out <= picture.width) return draw(canvas, picture);
  const side = picture.width;
  const small = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  small.drawImage(picture, 0, 0);
  if (canvas.width !== out) Object.assign(canvas, { width: out, height: out });
  const pixels = enlarge(small.getImageData(0, 0, side, side), out, lanczosTaps(side, out));
  return canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function pictureButton(place) {
  const button = make("button", "cell", make("canvas"));
  button.type = "button";
  button.dataset.place = place;
  return button;
}

// ---- a stage for each mode, made once and then painted ----

function makeStrip() {
  closer = Math.floor((frame.count - 1) / 2);
  stage.style.setProperty("--count", frame.count);
  const rows = CAPTIONS.map((caption, row) => {
    const cells = Array.from({ length: frame.count }, (_, k) =>
      row === 0 ? pictureButton(k) : make("canvas"),
    );
    return make("div", "row", make("p", "", caption), make("div", "cells", ...cells));
  });
  const kinds = ["guided", "pixel blend", "unguided"];
  const large = kinds.map((kind) => make("figure", "", make("canvas"), make("figcaption", "", kind)));
  stage.append(...rows, make("div", "closer", ...large));
}

function makeGrid() {
  stage.append(make("div", "cells", ...Array.from({ length: frame.count }, (_, k) => pictureButton(k))));
  for (const name of frame.ends) stage.append(make("span", "corner", name));
}

const makers = { strip: makeStrip, grid: makeGrid, loop: makeOne, "coarse-fine": makeOne };

function makeOne() {
  stage.append(make("canvas", "one"));
  stage.firstChild.setAttribute("role", "img");
}

function paint() {
  const made = `${frame.mode} ${frame.count}`;
  if (stage.dataset.made !== made) {
    stage.replaceChildren();
    stage.dataset.made = made;
    makers[frame.mode]();
  }
  const { ends, pictures } = frame;
  const words = {
    strip: ends.join(" → "),
    loop: [...ends, ends[0]].join(" → "),
    grid: `${frame.chosen.length > 4 ? "The first four textures. " : ""}Click a picture to take its mixture.`,
    "coarse-fine": "Structure of one texture, detail of another",
  };
  way.textContent = words[frame.mode];
  way.title = way.textContent;
  if (frame.mode === "strip") paintStrip();
  else if (frame.mode === "grid") paintGrid();
  else if (frame.mode === "loop") paintLoop();
  else {
    drawLarge(stage.firstChild, pictures[0]);
    stage.firstChild.setAttribute("aria-label", `Coarse structure of ${ends[0]}, detail of ${ends[1]}`);
    drawSwitch();
  }
  pace();
}

function label(button) {
  const words = inWords(frame.weights[Number(button.dataset.place)]);
  button.setAttribute("aria-label", `${words}: take this mixture`);
  button.title = `${words}\nClick to take this mixture`;
}

function paintStrip() {
  const { count, pictures } = frame;
  for (const [row, line] of [...stage.querySelectorAll(".row")].entries()) {
    for (const [k, canvas] of [...line.querySelectorAll("canvas")].entries()) {
      draw(canvas, pictures[row === 2 ? 2 * count : row * count + k]);
    }
  }
  stage.querySelectorAll(".cell").forEach(label);
  const options = frame.fitting.map((n) => new Option(n, n, n === count, n === count));
  if (places.value !== String(count) || places.length !== options.length) places.replaceChildren(...options);
  paintCloser();
}

function paintCloser() {
  const { count, pictures } = frame;
  const large = stage.querySelectorAll(".closer canvas");
  const which = [closer, count + closer, 2 * count];
  which.forEach((place, k) => drawLarge(large[k], pictures[place]));
  const caption = stage.querySelector("figcaption");
  caption.textContent = inWords(frame.weights[closer]);
  caption.title = caption.textContent;
  for (const line of stage.querySelectorAll(".cells")) {
    for (const [k, cell] of [...line.children].entries()) cell.classList.toggle("near", k === closer);
  }
  rove(stage.querySelectorAll(".cell"), closer);
}

function paintGrid() {
  const cells = stage.querySelectorAll(".cell");
  cells.forEach((cell, k) => draw(cell.firstChild, frame.pictures[k]));
  cells.forEach(label);
  if (![...cells].some((cell) => cell.tabIndex === 0 && cell.hasAttribute("tabindex"))) rove(cells, 0);
}

// One picture of many is reached by Tab, the others from there by arrow keys.
function rove(cells, at) {
  cells.forEach((cell, k) => cell.setAttribute("tabindex", k === at ? 0 : -1));
}

function paintLoop() {
  scrub.max = frame.count - 1;
  let place = position % frame.count;
  // the loop plays as soon as it has a few pictures, and grows finer
  for (let k = 0; k < frame.count && !frame.pictures[place]; k += 1) place = (place || frame.count) - 1;
  const canvas = stage.firstChild;
  const picture = frame.pictures[place];
  const out = Math.min(1024, Math.round(canvas.clientWidth * window.devicePixelRatio));
  if (canvas.width !== out) Object.assign(canvas, { width: out, height: out });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (picture) context.drawImage(picture, 0, 0, out, out);
  canvas.setAttribute("aria-label", `Loop through ${frame.ends.join(", ")}`);
  room.dataset.place = place;
  scrub.value = position % frame.count;
  scrub.setAttribute("aria-valuetext", inWords(frame.weights[position % frame.count]));
}

function setRunning(now) {
  running = now;
  const button = playing.querySelector(".play");
  button.textContent = now ? "❚❚" : "▶";
  button.setAttribute("aria-label", now ? "Pause" : "Play");
  pace();
}

function pace() {
  const go = running && frame?.mode === "loop";
  if (go && timer === null) {
    timer = setInterval(() => {
      position = (position + 1) % frame.count;
      paintLoop();
    }, 1000 * frame.seconds);
  } else if (!go && timer !== null) {
    clearInterval(timer);
    timer = null;
  }
}

// What diffusion does from left, where noise is high, to right: first the one texture, then the other.
function drawSwitch() {
  const [first, second] = frame?.mode === "coarse-fine" ? frame.ends : ["", ""];
  const [left, right] = switching.querySelectorAll(".end");
  left.textContent = first ? `coarse: ${first}` : "";
  right.textContent = second ? `detail: ${second}` : "";
  switching.hidden = mode !== "coarse-fine" || !first;
  const at = Number(slider.value);
  const sigma = stops[stops.length - 1 - at];
  const words = at === 0 ? "the second alone" : at === stops.length - 1 ? "the first alone" : `switch at σ = ${sigma.toPrecision(2)}`;
  switching.querySelector("output").textContent = words;
  slider.style.setProperty("--at", at / (stops.length - 1));
  slider.setAttribute("aria-valuetext", words);
}

// ---- listeners, delegated ----

stage.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (cell && frame) trigger("select", { weights: frame.weights[Number(cell.dataset.place)] });
});
for (const kind of ["pointerover", "focusin"]) {
  stage.addEventListener(kind, (event) => {
    if (frame?.mode !== "strip") return;
    const row = event.target.closest(".cells");
    const cell = row && [...row.children].find((one) => one.contains(event.target));
    if (!cell) return;
    closer = [...row.children].indexOf(cell);
    paintCloser();
  });
}
stage.addEventListener("keydown", (event) => {
  const columns = frame?.mode === "grid" ? Math.round(Math.sqrt(frame.count)) : 1;
  const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const cells = [...stage.querySelectorAll(".cell")];
  const at = cells.indexOf(event.target) + ways[event.key];
  if (!(event.key in ways) || !cells[at]) return;
  event.preventDefault();
  rove(cells, at);
  cells[at].focus();
});
playing.querySelector(".play").addEventListener("click", () => setRunning(!running));
scrub.addEventListener("input", () => {
  setRunning(false);
  position = Number(scrub.value);
  if (frame) paintLoop();
});
new ResizeObserver(() => frame && stage.clientWidth && paint()).observe(stage);
setRunning(running);
document.addEventListener("fgsd:mode", arrange);
document.dispatchEvent(new CustomEvent("fgsd:ask-mode"));
watch("value", () => receive(props.value));
receive(props.value);
