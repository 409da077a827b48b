// The visitor's own textures: images become textures, which are learned, cropped, kept in the browser, and
// exchanged as files; recipe files open pictures that were made with them.
import { mixtureNames } from "../shared/address.js";
import { closest, downloadBlob, find, make } from "../shared/dom.js";
import { pressSample } from "../shared/sample_button.js";
import { announce, current, subscribe } from "../shared/session.js";
import { CropDialog } from "./crop_dialog.js";
import { listenForFiles } from "./files.js";
import { dropTexture, fromBase64, keepTexture, keptTextures, toBase64 } from "./kept.js";
import { decodeScaled, scaleDown } from "./scale.js";

/** @typedef {import("../shared/events.js").UserTexture} UserTexture */
/** @typedef {{ name: string, position?: number, step?: number, steps?: number, seconds?: number }} Learning
 *  the position in line of a texture that waits, or its step, the number of steps, and the seconds left */

/**
 * What the server sends; see `panel_value` in `fgsd.app.panels.user_textures`.
 *
 * @typedef {Object} Value
 * @property {number} serial of two values, the later one has the higher number
 * @property {UserTexture[]} own all textures of the visitor, oldest first
 * @property {string} [chosen] name of the one to describe
 * @property {string} [added] name of the texture that an image has become
 * @property {number | null} [upload] number of that image
 * @property {string} [learn] name of a texture to learn
 * @property {Learning} [learning] progress
 * @property {string} [ended] name of a texture that is not learned any more
 * @property {number} [offer] seconds that it would have taken
 * @property {boolean} [restored] textures were opened that the browser had kept
 * @property {string} [error] a sentence for the visitor
 * @property {{ name: string, text: string }} [file] a recipe, to be saved
 * @property {string} [visitor] by which the server finds the textures
 */

const MAX_IMAGE_BYTES = 25e6; // as `MAX_UPLOAD_BYTES` in `fgsd.app.limits`
const MAX_RECIPE_BYTES = 1.6e6;
const MAX_TEXTURE_BYTES = 2e5; // as `MAX_BYTES` in `fgsd.texture`
const TEXTURE_SUFFIX = ".fgsd.safetensors";

/**
 * Why a file cannot be used, as a sentence; null if it may be.
 *
 * @param {{ name: string, size: number }} file
 * @param {"image" | "recipe" | "texture"} kind
 */
export function sizeError({ name, size }, kind) {
  if (kind === "image") return size > MAX_IMAGE_BYTES ? `${name} is larger than 25 MB; scale it down.` : null;
  const limit = kind === "recipe" ? MAX_RECIPE_BYTES : MAX_TEXTURE_BYTES;
  return size > limit ? `${name} is too large for a ${kind === "recipe" ? "recipe" : "texture file"}.` : null;
}

/** @param {{ name: string, type: string }} file @returns {"image" | "recipe" | "texture"} */
export function kindOf({ name, type }) {
  if (/\.safetensors$/i.test(name)) return "texture";
  return /\.json$/i.test(name) || type === "application/json" ? "recipe" : "image";
}

/** What is said of a texture that is being learned. @param {Learning} learning */
export function learningText({ name, position, step, seconds }) {
  if (position) return `${name} waits to be learned: number ${position} in line`;
  if (!step) return `Learning ${name} …`;
  return `Learning ${name}, ${Math.ceil(seconds ?? 0)} s left`;
}

/** @param {import("../shared/dom.js").Panel<Value>} panel */
export function mount({ element, trigger, props, server, watch }) {
  const panel = find(element, ".user-textures");
  const [thumbs, description, progress] = [
    find(panel, ".thumbs"),
    find(panel, ".nearest"),
    find(panel, ".learning"),
  ];
  const actions = find(panel, ".actions");
  const [learn, stop, crop, keep, remove] = ["learn", "stop", "crop", "keep", "remove"].map((name) =>
    find(actions, `.${name}`),
  );
  const [note, error] = [find(panel, ".note"), find(panel, ".error")];
  const side = Number(panel.dataset.side); // pixels that the shorter side of an image is scaled down to
  const network = panel.dataset.network ?? "";
  const state = {
    serial: -1, // of the newest value
    /** @type {UserTexture[]} oldest first */
    textures: [],
    /** @type {string | null} name of the one that is described */
    described: null,
    /** @type {Map<string, Learning>} textures that are being learned, or wait, by name */
    learning: new Map(),
    /** @type {Map<string, number>} seconds that learning takes, of textures that the visitor decides on */
    offers: new Map(),
    /** @type {Map<number, File>} images on their way to the server, by the number of the upload */
    uploads: new Map(),
    /** @type {Map<string, File>} images that textures were made of, by the name of the texture */
    images: new Map(),
    /** @type {Map<string, string>} what is kept in the browser, by name: the positions of the texture */
    kept: new Map(),
    numberOfUploads: 0,
  };

  // ---- the message: a note, an error, or else the description of a texture ----

  /** @param {{ note?: string, error?: string }} text */
  function setMessage(text) {
    for (const [line, words] of /** @type {const} */ ([
      [note, text.note],
      [error, text.error],
    ])) {
      line.hidden = !words;
      line.textContent = words ?? "";
    }
    panel.toggleAttribute("data-busy", Boolean(text.note || text.error)); // the title gives way to the words
    describe();
  }

  function describe() {
    const texture = state.textures.find(({ name }) => name === state.described);
    const learning = texture && state.learning.get(texture.name);
    const offer = texture && !learning && state.offers.get(texture.name);
    const shown = Boolean(texture) && note.hidden && error.hidden;
    description.hidden = !shown || Boolean(learning || offer);
    progress.hidden = !shown || !(learning || offer);
    actions.hidden = !shown;
    if (!texture) return;
    const nearest = texture.near.map(([name, distance]) => `${name} ${distance.toFixed(1)}`).join(", ");
    description.replaceChildren(make("b", { textContent: texture.name }), ` is nearest to ${nearest}`);
    if (learning) progress.textContent = learningText(learning);
    else if (offer) progress.textContent = `To learn ${texture.name} takes about ${offer} s here`;
    learn.hidden = !texture.learnable || Boolean(learning);
    stop.hidden = !learning;
    crop.hidden = !state.images.has(texture.name);
    for (const [button, verb] of /** @type {const} */ ([
      [learn, "Learn"],
      [stop, "Stop learning"],
      [crop, "Crop"],
      [keep, "Save to a file"],
      [remove, "Remove"],
    ])) {
      button.setAttribute("aria-label", `${verb} your texture ${texture.name}`);
    }
  }

  function drawThumbs() {
    const buttons = state.textures.map(({ name, src }) => {
      const button = make("button", { type: "button", title: name }, make("img", { src, alt: "" }));
      button.dataset.name = name;
      button.setAttribute("aria-label", `Your texture ${name}`);
      button.setAttribute("aria-pressed", String(name === state.described));
      const { step = 0, steps = 1 } = state.learning.get(name) ?? {};
      button.toggleAttribute("data-learning", state.learning.has(name));
      button.style.setProperty("--share", String(step / steps));
      return button;
    });
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.name;
    const hadFocus = thumbs.contains(document.activeElement);
    thumbs.replaceChildren(...buttons);
    if (hadFocus) buttons.find(({ dataset }) => dataset.name === focused)?.focus();
    panel.dataset.count = String(state.textures.length);
  }

  // ---- files of the visitor ----

  /** @param {File} file */
  function open(file) {
    const kind = kindOf(file);
    const name = file.name || "image.png";
    const problem = sizeError({ name, size: file.size }, kind);
    if (problem) return setMessage({ error: problem });
    setMessage({ note: kind === "image" ? `Reading ${name} …` : `Opening ${name} …` });
    if (kind === "image") void openImage(file, name);
    else void openFile(file, kind);
  }

  /** @param {File} file @param {string} name */
  async function openImage(file, name) {
    const image = await decode(file, name);
    if (!image) return;
    try {
      send(scaleDown(image, side), file, { name });
    } catch {
      setMessage({ error: `This browser could not draw ${name}; scale it down and try again.` });
    } finally {
      image.close();
    }
  }

  /** @param {File} file @param {string} name @returns {Promise<ImageBitmap | null>} null after an error */
  async function decode(file, name) {
    try {
      return await decodeScaled(file, side);
    } catch {
      setMessage({ error: `${name} is no image that this browser can read; save it as JPEG or PNG.` });
      return null;
    }
  }

  /**
   * @param {HTMLCanvasElement} canvas the part that is sent
   * @param {File} file the whole image
   * @param {{ name: string, replaces?: string }} data
   */
  function send(canvas, file, data) {
    state.numberOfUploads += 1;
    state.uploads.set(state.numberOfUploads, file);
    trigger("upload", { image: canvas.toDataURL("image/png"), upload: state.numberOfUploads, ...data });
  }

  /** @param {File} file @param {"recipe" | "texture"} kind */
  async function openFile(file, kind) {
    if (kind === "recipe") return trigger("submit", { text: await file.text() });
    const bytes = new Uint8Array(await file.arrayBuffer());
    return trigger("apply", { files: [toBase64(bytes)], kept: false });
  }

  // ---- the part of an image that is meant ----

  const dialog = new CropDialog(panel, { side, patch: Number(panel.dataset.patch) }, (canvas) => {
    const name = state.described ?? "";
    const file = state.images.get(name);
    if (!file) return;
    setMessage({ note: `Reading ${name} …` });
    send(canvas, file, { name: file.name, replaces: name });
  });

  async function cropImage() {
    const file = state.images.get(state.described ?? "");
    const image = file && (await decode(file, file.name));
    if (image) dialog.open(image);
  }

  // ---- learning ----

  /** @param {string} name @param {boolean} asked whether the visitor has asked for it */
  function startLearning(name, asked) {
    state.learning.set(name, { name });
    state.offers.delete(name);
    announceLearning();
    trigger("play", { name, asked });
  }

  const announceLearning = () => announce("learning", [...state.learning.keys()]);

  /** @param {string} name */
  function endLearning(name) {
    state.learning.delete(name);
    announceLearning();
    if (mixtureOnMap().includes(name) && !current("drag")) pressSample(); // in all steps
  }

  /** Names of the textures in the target, sampled or not. @returns {string[]} */
  function mixtureOnMap() {
    const target = JSON.parse(find(document, ".map-panel").dataset.target ?? "[]");
    return target.map((/** @type {{ name: string }} */ { name }) => name);
  }

  // ---- files of textures: kept in the browser, and saved ----

  /** @param {string} name @returns {Promise<Uint8Array | null>} null if the server has it no more */
  async function fileOf(name) {
    try {
      const { file } = await server.texture_file({ visitor: current("visitor") ?? null, name });
      return file ? fromBase64(file) : null;
    } catch {
      return null;
    }
  }

  /** @param {Pick<UserTexture, "pca" | "src">} texture @returns {string} changes as the texture does */
  const signature = ({ pca, src }) => JSON.stringify([pca, src]);

  /** Keep what has changed in the browser. What is being learned waits until the end. */
  async function keepAll() {
    for (const { name, pca, src } of state.textures) {
      const now = signature({ pca, src });
      if (state.learning.get(name)?.step || state.kept.get(name) === now) continue;
      state.kept.set(name, now);
      const file = await fileOf(name);
      if (!file || !(await keepTexture(network, name, file))) state.kept.delete(name);
    }
    announce("kept", [...state.kept.keys()]);
  }

  async function restore() {
    const files = await keptTextures(network);
    if (files.length) trigger("apply", { files: files.map(({ file }) => toBase64(file)), kept: true });
    else announce("restored", true);
  }

  async function saveTexture() {
    const name = state.described ?? "";
    const file = await fileOf(name);
    if (!file) return setMessage({ error: `The server has lost ${name}; add it once more.` });
    const blob = new Blob([/** @type {BlobPart} */ (file)], { type: "application/octet-stream" });
    return downloadBlob(name.replaceAll(" ", "-") + TEXTURE_SUFFIX, blob);
  }

  // ---- what the server sends ----

  function receive() {
    const value = props.value;
    if (!value || !Array.isArray(value.own) || value.serial <= state.serial) return;
    state.serial = value.serial;
    state.textures = value.own;
    const stays = state.textures.some(({ name }) => name === state.described);
    state.described = value.chosen ?? (stays ? state.described : (state.textures.at(-1)?.name ?? null));
    if (value.visitor) announce("visitor", value.visitor);
    if (value.learning) {
      state.learning.set(value.learning.name, value.learning);
      announceLearning(); // also if the end of an earlier run of this texture has come in between
    }
    announce("user-textures", state.textures);
    receiveImage(value);
    if (value.ended && value.offer) state.offers.set(value.ended, value.offer);
    if (value.ended) endLearning(value.ended);
    if (value.learn) startLearning(value.learn, false);
    receiveMessage(value);
    drawThumbs();
    updateSaveMenu();
    if (value.restored) {
      state.kept = new Map(state.textures.map((texture) => [texture.name, signature(texture)]));
      announce("restored", true);
    }
    if (value.file) downloadBlob(value.file.name, new Blob([value.file.text], { type: "application/json" }));
    void keepAll();
  }

  /** @param {UserTexture[]} textures */
  const namesOf = (textures) => textures.map(({ name }) => name);

  /** @param {Value} value */
  function receiveImage({ added, upload }) {
    const file = state.uploads.get(upload ?? -1);
    if (!added || !file) return;
    state.images.set(added, file);
    state.uploads.delete(upload ?? -1);
  }

  /** @param {Value} value */
  function receiveMessage({ error: sentence, learning }) {
    if (sentence) return setMessage({ error: sentence });
    return learning ? describe() : setMessage({}); // progress must not remove an error
  }

  // ---- a link does not hold user textures: a picture that needs one has a recipe file in the save menu ----

  /** The user textures in the picture on the screen. @returns {string[]} their names */
  function texturesOnScreen() {
    const mixture = mixtureNames(location.search);
    return namesOf(state.textures).filter((name) => mixture.includes(name));
  }

  function updateSaveMenu() {
    const names = texturesOnScreen();
    const recipe = document.querySelector('[data-save="recipe"]');
    if (recipe?.parentElement) recipe.parentElement.hidden = !names.length;
    document.documentElement.toggleAttribute("data-user-texture-shown", names.length > 0);
  }

  // ---- listeners ----

  listenForFiles(panel, open);
  thumbs.addEventListener("click", (event) => {
    const { name } = closest(event, "button")?.dataset ?? {};
    if (name) trigger("select", { name, adding: event.shiftKey || event.ctrlKey || event.metaKey });
  });
  learn.addEventListener("click", () => {
    if (state.described) startLearning(state.described, true);
    setMessage({});
  });
  stop.addEventListener("click", () => trigger("stop", { name: state.described }));
  crop.addEventListener("click", cropImage);
  keep.addEventListener("click", saveTexture);
  remove.addEventListener("click", () => {
    const name = state.described ?? "";
    state.kept.delete(name);
    void dropTexture(network, name);
    trigger("delete", { name });
  });
  subscribe("history", () => {
    setMessage({}); // another picture is on the screen: the last message no longer applies
    updateSaveMenu();
  });
  document.addEventListener("click", (event) => {
    const kind = closest(event, "[data-save]")?.dataset.save;
    if (!kind) return;
    updateSaveMenu();
    if (kind === "recipe") trigger("download", { query: location.search });
    const names = texturesOnScreen().join(" and ");
    if (kind !== "link" || !names) return;
    const limit = `The link opens in this browser only: ${names} does not fit into it.`;
    setMessage({ note: `${limit} The File in the same menu does the same.` });
  });
  watch("value", receive);
  receive();
  let restoring = false; // Gradio takes events once it has announced the settings
  subscribe("settings", () => {
    if (!restoring) void restore();
    restoring = true;
  });
}
