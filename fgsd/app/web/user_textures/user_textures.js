// The visitor's own textures. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// Images are decoded and scaled here, so that only a small PNG travels; own_room.py says what the value holds.
const own = element.querySelector(".user-textures");
const part = (name) => own.querySelector(`.${name}`);
const side = Number(own.dataset.side); // pixels that a shorter side is scaled down to
const MAX_BYTES = 16e6; // of an image file
const MAX_RECIPE = 1.6e6;
let known = []; // [{name, src, near, pca, umap}, ...], oldest first
let chosen = null; // name of the one that is described

function say(kind, text) {
  for (const name of ["note", "error"]) {
    part(name).hidden = name !== kind;
    part(name).textContent = name === kind ? text : "";
  }
  own.toggleAttribute("data-busy", kind !== "near"); // the words need the line
  drawNear();
}

// ---- an image, scaled to what the network was trained on ----

function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

function drawn(image, width, height, cut = [0, 0, image.width, image.height]) {
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(image, ...cut, 0, 0, width, height);
  return canvas;
}

// Halved until one smooth step is left: browsers differ in how well they make a large image small at once.
function shrunk(image) {
  const short = Math.min(image.width, image.height);
  const most = 2 * short; // of the longer side: the middle of a panorama says enough of its texture
  const width = Math.min(image.width, most);
  const height = Math.min(image.height, most);
  const corner = [(image.width - width) / 2, (image.height - height) / 2];
  let now = drawn(image, width, height, [...corner, width, height]);
  while (Math.min(now.width, now.height) >= 4 * side) {
    now = drawn(now, Math.round(now.width / 2), Math.round(now.height / 2));
  }
  const scale = side / Math.min(now.width, now.height);
  return scale < 1 ? drawn(now, Math.round(now.width * scale), Math.round(now.height * scale)) : now;
}

async function take(file) {
  if (!file) return undefined;
  const name = file.name || "image.png";
  if (/\.json$/i.test(name) || file.type === "application/json") return open(file);
  if (file.size > MAX_BYTES) return say("error", `${name} is larger than 16 MB; scale it down.`);
  say("note", `Reading ${name} …`);
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    return say("error", `${name} is no image that this browser can read.`);
  }
  return trigger("upload", { image: shrunk(image).toDataURL("image/png"), name });
}

async function open(file) {
  if (file.size > MAX_RECIPE) return say("error", `${file.name} is too large for a recipe.`);
  say("note", `Opening ${file.name} …`);
  return trigger("submit", { text: await file.text() });
}

// ---- the ways in: button, camera, drop, paste ----

const inputs = { add: part("file"), photograph: part("camera") };
for (const [button, input] of Object.entries(inputs)) {
  part(button).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
}

const veil = part("veil");
const withFiles = (event) => Boolean(event.dataTransfer?.types.includes("Files"));
for (const kind of ["dragenter", "dragover"]) {
  window.addEventListener(kind, (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
}
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) veil.hidden = true; // it left the window, not one element for another
});
window.addEventListener("drop", (event) => {
  if (!withFiles(event)) return;
  event.preventDefault();
  veil.hidden = true;
  take(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file) return;
  event.preventDefault();
  take(file);
});

// ---- what there is ----

function drawNear() {
  const one = known.find((texture) => texture.name === chosen);
  const quiet = part("note").hidden && part("error").hidden;
  part("near").hidden = part("remove").hidden = !one || !quiet;
  if (!one) return;
  const words = one.near.map(([name, distance]) => `${name} ${distance.toFixed(1)}`).join(", ");
  part("near").replaceChildren(
    Object.assign(document.createElement("b"), { textContent: one.name }),
    ` is nearest to ${words}`,
  );
  part("remove").setAttribute("aria-label", `Remove your texture ${one.name}`);
}

function draw() {
  const buttons = known.map(({ name, src }) => {
    const button = Object.assign(document.createElement("button"), { type: "button", title: name });
    button.dataset.name = name;
    button.setAttribute("aria-label", `Your texture ${name}`);
    button.setAttribute("aria-pressed", name === chosen);
    button.append(Object.assign(new Image(), { src, alt: "" }));
    return button;
  });
  part("thumbs").replaceChildren(...buttons);
  own.dataset.count = known.length;
  drawNear();
}

part("thumbs").addEventListener("click", (event) => {
  const { name } = event.target.closest("button")?.dataset ?? {};
  if (name) trigger("select", { name, adding: event.shiftKey || event.ctrlKey || event.metaKey });
});
part("remove").addEventListener("click", () => trigger("delete", { name: chosen }));

function download({ name, text }) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function taken() {
  const value = props.value;
  if (!value || !Array.isArray(value.own)) return;
  known = value.own;
  chosen = value.chosen ?? (known.some(({ name }) => name === chosen) ? chosen : known.at(-1)?.name ?? null);
  document.dispatchEvent(new CustomEvent("fgsd:user-textures", { detail: known }));
  if (value.visitor) document.dispatchEvent(new CustomEvent("fgsd:visitor", { detail: value.visitor }));
  say(value.error ? "error" : "near", value.error ?? "");
  draw();
  shownOwn();
  if (value.file) download(value.file);
}

// ---- a picture that needs an own texture has a file beside its link ----

function shownOwn() {
  const mix = new URLSearchParams(location.search).get("mix") ?? "";
  const names = mix.split(",").map((entry) => entry.split(":")[0]);
  const mine = known.map(({ name }) => name).filter((name) => names.includes(encodeURIComponent(name)));
  const file = document.querySelector('[data-save="recipe"]');
  if (file) file.parentElement.hidden = !mine.length;
  document.documentElement.toggleAttribute("data-user-texture-shown", mine.length > 0);
  return mine;
}

document.addEventListener("fgsd:history", () => {
  say("near", ""); // another picture: what was said of the last is over
  shownOwn();
});
document.addEventListener("click", (event) => {
  const { save } = event.target.closest?.("[data-save]")?.dataset ?? {};
  const mine = save ? shownOwn() : [];
  if (save === "recipe") trigger("download", { query: location.search });
  else if (save === "link" && mine.length) {
    const what = mine.join(" and ");
    say("note", `The link opens in this tab only: ${what} does not fit into it. The File in the same menu does the same.`);
  }
});
watch("value", taken);
taken();
