// The bar over the picture: the tile preview and the menu of what can be taken home. Runs once, inside a
// function of (element, trigger, props, server, upload, watch). What is on screen comes as `fgsd:frame`.
const bar = element.querySelector(".save");
const tile = bar.querySelector(".tile");
const open = bar.querySelector(".open");
const menu = bar.querySelector("[role=menu]");
const said = bar.querySelector(".status");
const dialog = bar.querySelector("dialog");
const items = () => [...menu.querySelectorAll("li:not([hidden]) button")];
const NAMES = { sheet: "contact sheet", gif: "GIF", mp4: "MP4" };
let shown = null; // the newest frame that is no mere following of the pin
let view = "noise";
let client_seq = 0;

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function fold(folded) {
  menu.hidden = folded;
  open.setAttribute("aria-expanded", !folded);
}

function busy(words) {
  open.textContent = words ?? "Save";
  open.setAttribute("aria-busy", Boolean(words));
}

function download(name, url) {
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  said.textContent = `Saved ${name}.`;
}

async function savePng() {
  const image = new Image();
  image.src = document.querySelector(".picture .source").src;
  await image.decode();
  const sheet = document.createElement("canvas");
  Object.assign(sheet, { width: image.width, height: image.height });
  sheet.getContext("2d").drawImage(image, 0, 0);
  download(`${shown.name}.png`, sheet.toDataURL("image/png"));
}

async function copy(text, words) {
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = words;
  } catch {
    window.prompt("Copy this:", text); // where the browser keeps the clipboard to itself
  }
}

async function showLines() {
  const { lines, error } = await server.lines(shown.query).catch(() => ({ error: "The server is away." }));
  tell("fgsd:error", error ?? "");
  if (!lines) return;
  dialog.querySelector("pre").textContent = lines;
  dialog.showModal();
}

function ask(kind) {
  client_seq += 1;
  busy(`${NAMES[kind]} …`);
  trigger("submit", { client_seq, kind, query: shown.query, view });
}

// The first screen's address holds nothing yet.
function address() {
  return location.search.includes("mix=") ? location.href : new URL(shown.query, location.href).href;
}

// the file of a picture with a texture of the visitor's own is made by own.js
const savers = { png: savePng, recipe: () => {}, link: () => copy(address(), "Link copied."), python: showLines };

function save(kind) {
  fold(true);
  tell("fgsd:error", "");
  if (!shown) return;
  (savers[kind] ?? ask)(kind);
}

function answered() {
  const answer = props.value;
  if (!answer || answer.client_seq !== client_seq) return;
  if (answer.share !== undefined) busy(`${Math.round(100 * answer.share)} %`);
  else busy(null);
  if (answer.error) tell("fgsd:error", answer.error);
  if (answer.file) download(answer.file.name, answer.file.url);
  if (answer.file || answer.error || answer.ended) client_seq += 1; // the same answer may come twice
}

menu.addEventListener("click", (event) => {
  const item = event.target.closest("[data-save]");
  if (item) save(item.dataset.save);
});
open.addEventListener("click", () => {
  fold(!menu.hidden);
  if (!menu.hidden) items()[0].focus();
});
menu.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = items();
  all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
});
bar.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || menu.hidden) return;
  fold(true);
  open.focus();
});
document.addEventListener("pointerdown", (event) => {
  if (!bar.contains(event.target)) fold(true);
});
bar.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !bar.contains(event.relatedTarget)) fold(true);
});
dialog.querySelector(".copy").addEventListener("click", () => {
  copy(dialog.querySelector("pre").textContent, "Copied.");
});
tile.addEventListener("click", () => {
  const now = tile.getAttribute("aria-pressed") !== "true";
  tile.setAttribute("aria-pressed", now);
  tell("fgsd:tile", now);
});
document.addEventListener("fgsd:frame", ({ detail }) => {
  if (detail.live) return;
  shown = detail;
  tile.hidden = !detail.tileable;
});
document.addEventListener("fgsd:view", (event) => (view = event.detail));
watch("value", answered);
