// Favourites: links with small pictures, kept in the browser.
import { currentLink, linkLength } from "../shared/address.js";
import { closest, find, make } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { local } from "../shared/storage.js";

/** @typedef {{ link: string, src: string, label: string }} Favourite `src` is a data URI */

const KEY = "fgsd:favourites";
const MAX_FAVOURITES = 24; // the oldest gives way
const MAX_LINK = 4000; // characters that the visitor sees, as `MAX_LINK_CHARACTERS` in `fgsd.app.limits`
const MAX_SRC = 3e4;
const SIDE = 72; // pixels of a picture

/** @param {any} entry @returns {entry is Favourite} */
function isFavourite(entry) {
  const { link, src, label } = entry ?? {};
  return (
    typeof link === "string" &&
    link.startsWith("?mix=") &&
    linkLength(link) <= MAX_LINK &&
    typeof src === "string" &&
    /^data:image\/(webp|png|jpeg);base64,/.test(src) &&
    src.length < MAX_SRC &&
    typeof label === "string"
  );
}

/**
 * The favourites in a stored text. It may be damaged, or of another version of the page: only valid entries
 * count.
 *
 * @param {string | null} text
 * @returns {Favourite[]} the newest first
 */
export function parseFavourites(text) {
  try {
    const stored = JSON.parse(text ?? "null");
    return Array.isArray(stored) ? stored.filter(isFavourite).slice(0, MAX_FAVOURITES) : [];
  } catch {
    return [];
  }
}

/**
 * The favourites with this one added at the front, or without it if its link is among them.
 *
 * @param {Favourite[]} favourites
 * @param {Favourite} favourite
 * @returns {Favourite[]}
 */
export function toggled(favourites, favourite) {
  const others = favourites.filter(({ link }) => link !== favourite.link);
  return (others.length < favourites.length ? others : [favourite, ...others]).slice(0, MAX_FAVOURITES);
}

/** The first image on the screen, small. @returns {string} a data URI */
function smallPicture() {
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const image = find(document, ".picture canvas", HTMLCanvasElement);
  canvas.getContext("2d")?.drawImage(image, 0, 0, SIDE, SIDE);
  return canvas.toDataURL("image/webp", 0.8);
}

/** @param {HTMLElement} toolbar */
export function createFavourites(toolbar) {
  const star = find(toolbar, ".star", HTMLButtonElement);
  const count = find(toolbar, ".favourites-toggle"); // shows and hides the list
  const list = find(toolbar, ".favourites");
  const status = find(toolbar, ".status");

  const linkOnScreen = () => currentLink(toolbar.dataset.first ?? "");
  const load = () => parseFavourites(local.get(KEY));

  const isKept = () => load().some(({ link }) => link === linkOnScreen());

  /** @param {Favourite[]} favourites @returns {boolean} whether they were kept */
  function store(favourites) {
    const stored = local.set(KEY, JSON.stringify(favourites));
    if (!stored) status.textContent = "This browser keeps no favourites.";
    return stored;
  }

  function toggle() {
    const label = find(document, ".picture .samples").getAttribute("aria-label") ?? "";
    const removes = isKept();
    if (store(toggled(load(), { link: linkOnScreen(), src: smallPicture(), label }))) {
      status.textContent = removes
        ? "No longer a favourite."
        : isKept()
          ? "Kept as a favourite."
          : "This picture cannot be kept as a favourite; save it as a file instead.";
    }
    draw();
  }

  function draw() {
    const favourites = load();
    const kept = isKept();
    const holdsUserTexture = document.documentElement.hasAttribute("data-user-texture-shown");
    star.textContent = kept ? "★" : "☆";
    star.setAttribute("aria-pressed", String(kept));
    star.disabled = holdsUserTexture && !kept;
    star.title = holdsUserTexture
      ? "A favourite is a link, and your own texture does not fit into one: save its File instead"
      : "Keep this picture as a favourite, in this browser";
    count.hidden = !favourites.length;
    count.textContent = String(favourites.length);
    count.setAttribute("aria-label", `Favourites (${favourites.length})`);
    count.title = "Favourites";
    if (!favourites.length) setOpen(false);
    list.replaceChildren(...favourites.map(item));
  }

  /** @param {Favourite} favourite */
  function item({ link, src, label }) {
    const open = make(
      "button",
      { type: "button", className: "open", title: label },
      make("img", { src, alt: "" }),
    );
    open.setAttribute("aria-label", `Open ${label}`);
    open.addEventListener("click", () => {
      setOpen(false);
      if (link !== location.search) emit("open", link);
    });
    const remove = make("button", { type: "button", className: "remove", textContent: "×" });
    remove.setAttribute("aria-label", `Remove ${label} from the favourites`);
    remove.addEventListener("click", () => {
      store(load().filter((favourite) => favourite.link !== link));
      draw();
    });
    return make("div", { className: "favourite" }, open, remove);
  }

  /** @param {boolean} open */
  function setOpen(open) {
    list.hidden = !open;
    count.setAttribute("aria-expanded", String(open));
  }

  star.addEventListener("click", toggle);
  count.addEventListener("click", () => setOpen(list.hidden));
  document.addEventListener("pointerdown", (event) => {
    if (!closest(event, ".toolbar")) setOpen(false);
  });
  toolbar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    setOpen(false);
    count.focus();
  });
  // after all other panels have heard of it: the user textures panel sets `data-user-texture-shown`
  for (const name of /** @type {const} */ (["history", "user-textures"])) on(name, () => setTimeout(draw));
  window.addEventListener("storage", draw); // another tab has changed the favourites
  draw();
}
