// The visitor's own textures: images become textures, and recipe files open pictures that were made with
// them.
import { mixtureNames } from "../shared/address.js";
import { closest, downloadBlob, find, make } from "../shared/dom.js";
import { announce, subscribe } from "../shared/session.js";
import { listenForFiles } from "./files.js";
import { decodeScaled, scaleDown } from "./scale.js";

/** @typedef {import("../shared/events.js").UserTexture} UserTexture */

/**
 * What the server sends; see `answer` in `fgsd.app.panels.user_textures`.
 *
 * @typedef {Object} Value
 * @property {UserTexture[]} own all textures of the visitor, oldest first
 * @property {string} [chosen] name of the one to describe
 * @property {string} [error] a sentence for the visitor
 * @property {{ name: string, text: string }} [file] a recipe, to be saved
 * @property {string} [visitor] by which the server finds the textures
 */

const MAX_IMAGE_BYTES = 25e6; // as `MAX_UPLOAD_BYTES` in `fgsd.app.limits`
const MAX_RECIPE_BYTES = 1.6e6;

/**
 * Why a file cannot be used, as a sentence; null if it may be.
 *
 * @param {{ name: string, size: number }} file
 * @param {"image" | "recipe"} kind
 */
export function sizeError({ name, size }, kind) {
  if (kind === "image") return size > MAX_IMAGE_BYTES ? `${name} is larger than 25 MB; scale it down.` : null;
  return size > MAX_RECIPE_BYTES ? `${name} is too large for a recipe.` : null;
}

/** @param {{ name: string, type: string }} file */
export function isRecipe({ name, type }) {
  return /\.json$/i.test(name) || type === "application/json";
}

/** @param {import("../shared/dom.js").Panel<Value>} panel */
export function mount({ element, trigger, props, watch }) {
  const panel = find(element, ".user-textures");
  const [thumbs, description, remove] = [
    find(panel, ".thumbs"),
    find(panel, ".nearest"),
    find(panel, ".remove"),
  ];
  const [note, error] = [find(panel, ".note"), find(panel, ".error")];
  const side = Number(panel.dataset.side); // pixels that the shorter side of an image is scaled down to
  const state = {
    /** @type {UserTexture[]} oldest first */
    textures: [],
    /** @type {string | null} name of the one that is described */
    described: null,
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
    description.hidden = remove.hidden = !texture || !note.hidden || !error.hidden;
    if (!texture) return;
    const nearest = texture.near.map(([name, distance]) => `${name} ${distance.toFixed(1)}`).join(", ");
    description.replaceChildren(make("b", { textContent: texture.name }), ` is nearest to ${nearest}`);
    remove.setAttribute("aria-label", `Remove your texture ${texture.name}`);
  }

  function drawThumbs() {
    const buttons = state.textures.map(({ name, src }) => {
      const button = make("button", { type: "button", title: name }, make("img", { src, alt: "" }));
      button.dataset.name = name;
      button.setAttribute("aria-label", `Your texture ${name}`);
      button.setAttribute("aria-pressed", String(name === state.described));
      return button;
    });
    thumbs.replaceChildren(...buttons);
    panel.dataset.count = String(state.textures.length);
  }

  // ---- files of the visitor ----

  /** @param {File} file */
  function open(file) {
    if (isRecipe(file)) void openRecipe(file);
    else void openImage(file);
  }

  /** @param {File} file */
  async function openImage(file) {
    const name = file.name || "image.png";
    const problem = sizeError({ name, size: file.size }, "image");
    if (problem) return setMessage({ error: problem });
    setMessage({ note: `Reading ${name} …` });
    let image;
    try {
      image = await decodeScaled(file, side);
    } catch {
      return setMessage({ error: `${name} is no image that this browser can read; save it as JPEG or PNG.` });
    }
    try {
      return trigger("upload", { image: scaleDown(image, side).toDataURL("image/png"), name });
    } catch {
      return setMessage({ error: `This browser could not draw ${name}; scale it down and try again.` });
    } finally {
      image.close();
    }
  }

  /** @param {File} file */
  async function openRecipe(file) {
    const problem = sizeError(file, "recipe");
    if (problem) return setMessage({ error: problem });
    setMessage({ note: `Opening ${file.name} …` });
    return trigger("submit", { text: await file.text() });
  }

  // ---- what the server sends ----

  function receive() {
    const value = props.value;
    if (!value || !Array.isArray(value.own)) return;
    state.textures = value.own;
    const stays = state.textures.some(({ name }) => name === state.described);
    state.described = value.chosen ?? (stays ? state.described : (state.textures.at(-1)?.name ?? null));
    announce("user-textures", state.textures);
    if (value.visitor) announce("visitor", value.visitor);
    setMessage({ error: value.error });
    drawThumbs();
    updateSaveMenu();
    if (value.file) downloadBlob(value.file.name, new Blob([value.file.text], { type: "application/json" }));
  }

  // ---- a link does not hold user textures: a picture that needs one has a recipe file in the save menu ----

  /** The user textures in the picture on the screen. @returns {string[]} their names */
  function texturesOnScreen() {
    const mixture = mixtureNames(location.search);
    return state.textures.map(({ name }) => name).filter((name) => mixture.includes(name));
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
  remove.addEventListener("click", () => trigger("delete", { name: state.described }));
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
    const limit = `The link opens in this tab only: ${names} does not fit into it.`;
    setMessage({ note: `${limit} The File in the same menu does the same.` });
  });
  watch("value", receive);
  receive();
}
