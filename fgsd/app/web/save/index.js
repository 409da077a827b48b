// The bar over the picture: the tile preview, and the menu of what can be saved. The picture on the screen is
// known from the event "frame".
import { currentLink } from "../shared/address.js";
import { closest, copyText, decodeImage, download, find, findAll, make } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { announce, current, subscribe } from "../shared/session.js";

/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * A file of the server: its progress, then the file, or why there is none.
 *
 * @typedef {Object} Reply
 * @property {number} client_seq number of the request that it answers
 * @property {number} [share] done, from 0 to 1
 * @property {{ name: string, url: string }} [file]
 * @property {string} [error] a sentence for the visitor
 * @property {boolean} [ended] another run has ended the making of the file
 */

/** @type {Record<string, string>} files that the server makes */
const SERVER_FILES = { sheet: "contact sheet", gif: "GIF", mp4: "MP4" };

/**
 * The item of a menu that an arrow key leads to.
 *
 * @param {number} index
 * @param {number} step
 * @param {number} count items
 */
export const nextItem = (index, step, count) => (index + step + count) % count;

/** @param {import("../shared/dom.js").Panel<Reply | null>} panel */
export function mount({ element, trigger, props, server, watch }) {
  const bar = find(element, ".save");
  const [tile, open, menu] = [find(bar, ".tile"), find(bar, ".open"), find(bar, "[role=menu]")];
  const status = find(bar, ".status");
  const dialog = find(bar, "dialog", HTMLDialogElement);
  const code = find(dialog, "pre");
  const state = {
    /** @type {Frame | null} the newest step on the screen; previews do not count */
    frame: null,
    sequence: 0, // number of the newest request for a file
  };

  // ---- the menu ----

  const items = () => findAll(menu, "li:not([hidden]) button", HTMLButtonElement);

  /** @param {boolean} opened */
  function setOpen(opened) {
    menu.hidden = !opened;
    open.setAttribute("aria-expanded", String(opened));
  }

  /** @param {string | null} progress null if no file is being made */
  function setProgress(progress) {
    open.textContent = progress ?? "Save";
    open.setAttribute("aria-busy", String(progress !== null));
  }

  // ---- what is saved ----

  /** @param {string} name @param {string} url */
  function saveFile(name, url) {
    download(name, url);
    status.textContent = `Saved ${name}.`;
  }

  /** @param {string} text @param {string} success words if it is in the clipboard */
  async function copy(text, success) {
    if (await copyText(text)) status.textContent = success;
  }

  async function savePng(/** @type {Frame} */ { name, source }) {
    const src = source ?? find(document, ".picture .source", HTMLImageElement).src;
    const image = await decodeImage(src);
    const canvas = make("canvas", { width: image.width, height: image.height });
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    saveFile(`${name}.png`, canvas.toDataURL("image/png"));
  }

  async function showCode(/** @type {Frame} */ { query }) {
    const { lines, error } = await server.lines(query).catch(() => ({ error: "The server is away." }));
    emit("error", error ?? "");
    if (!lines) return;
    code.textContent = lines;
    dialog.showModal();
  }

  function copyLink(/** @type {Frame} */ { query }) {
    if (typeof query !== "string") return undefined;
    return copy(new URL(currentLink(query), location.href).href, "Link copied.");
  }

  /** Ask the server for a file. @param {string} kind @param {Frame} frame */
  function requestFile(kind, { query }) {
    state.sequence += 1;
    setProgress(`${SERVER_FILES[kind]} …`);
    const view = typeof query === "string" ? (current("view") ?? "noise") : "estimate"; // as it is shown
    trigger("submit", { client_seq: state.sequence, kind, query, view });
  }

  /** @param {string} kind */
  function save(kind) {
    setOpen(false);
    emit("error", "");
    const { frame } = state;
    if (!frame || kind === "recipe") return; // the user textures panel saves recipes
    if (kind === "png") void savePng(frame);
    else if (kind === "plan") emit("save-plan");
    else if (kind === "film") emit("save-film");
    else if (kind === "link") void copyLink(frame);
    else if (kind === "python") void showCode(frame);
    else requestFile(kind, frame);
  }

  function receive() {
    const reply = props.value;
    if (!reply || reply.client_seq !== state.sequence) return;
    setProgress(reply.share === undefined ? null : `${Math.round(100 * reply.share)} %`);
    if (reply.error) emit("error", reply.error);
    if (reply.file) saveFile(reply.file.name, reply.file.url);
    if (reply.file || reply.error || reply.ended) state.sequence += 1; // the same reply may arrive twice
  }

  // ---- listeners ----

  menu.addEventListener("click", (event) => {
    const kind = closest(event, "[data-save]")?.dataset.save;
    if (kind) save(kind);
  });
  open.addEventListener("click", () => {
    setOpen(menu.hidden);
    if (!menu.hidden) items()[0].focus();
  });
  menu.addEventListener("keydown", (event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 })[event.key];
    if (!step) return;
    event.preventDefault();
    const all = items();
    const index = all.findIndex((item) => item === document.activeElement);
    all[nextItem(index, step, all.length)].focus();
  });
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menu.hidden) return;
    setOpen(false);
    open.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!(target instanceof Node) || !bar.contains(target)) setOpen(false);
  });
  bar.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !bar.contains(relatedTarget)) setOpen(false);
  });
  find(dialog, ".copy").addEventListener("click", () => void copy(code.textContent ?? "", "Copied."));
  tile.addEventListener("click", () => {
    const tiled = tile.getAttribute("aria-pressed") !== "true";
    tile.setAttribute("aria-pressed", String(tiled));
    announce("tile", tiled);
  });
  on("frame", (frame) => {
    if (frame.preview) return;
    state.frame = /** @type {Frame} */ (/** @type {unknown} */ (frame));
    tile.hidden = !frame.tileable;
    const isPainting = typeof state.frame.query !== "string";
    for (const kind of ["plan", "link"]) {
      const item = menu.querySelector(`[data-save=${kind}]`)?.closest("li");
      if (item) item.hidden = isPainting !== (kind === "plan");
    }
  });
  const film = /** @type {HTMLElement} */ (find(menu, "[data-save=film]").closest("li"));
  subscribe("film", (isThere) => (film.hidden = !isThere));
  on("film-progress", (share) => setProgress(share < 1 ? `${Math.round(100 * share)} %` : null));
  watch("value", receive);
}
