// Favourites: links with small pictures, kept in the browser. Stands after header.js, in the same function.
const KEY = "fgsd:favourites";
const MOST = 24; // that are kept; the oldest goes
const SIDE = 72; // pixels of a picture
const shelf = tool("favourites");

const here = () => (location.search.includes("mix=") ? location.search : tools.dataset.first);

// What is stored may be of an older page, or of anybody: only what is whole is taken.
function favourites() {
  let stored = [];
  try {
    stored = JSON.parse(localStorage.getItem(KEY));
  } catch {
    return []; // unreadable, or the browser keeps it to itself
  }
  const whole = (one) =>
    typeof one?.link === "string" && /^\?mix=/.test(one.link) && one.link.length <= 2000 &&
    typeof one.src === "string" && /^data:image\/(webp|png|jpeg);base64,/.test(one.src) && one.src.length < 3e4 &&
    typeof one.label === "string";
  return (Array.isArray(stored) ? stored : []).filter(whole).slice(0, MOST);
}

function keep(list) {
  try {
    localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
    return true;
  } catch {
    tool("status").textContent = "This browser keeps no favourites.";
    return false;
  }
}

function smallPicture() {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.getContext("2d").drawImage(document.querySelector(".picture canvas"), 0, 0, SIDE, SIDE);
  return canvas.toDataURL("image/webp", 0.8);
}

function star() {
  const link = here();
  const list = favourites();
  const rest = list.filter((one) => one.link !== link);
  const label = document.querySelector(".picture .tiles").getAttribute("aria-label");
  const now = rest.length < list.length ? rest : [{ link, src: smallPicture(), label }, ...rest];
  if (keep(now)) tool("status").textContent = now === rest ? "No longer a favourite." : "Kept as a favourite.";
  drawFavourites();
}

function drawFavourites() {
  const list = favourites();
  const kept = list.some((one) => one.link === here());
  const own = document.documentElement.hasAttribute("data-user-texture-shown");
  const button = tool("star");
  button.textContent = kept ? "★" : "☆";
  button.setAttribute("aria-pressed", kept);
  button.disabled = own && !kept;
  button.title = own
    ? "A favourite is a link, and your own texture does not fit into one: save its File instead"
    : "Keep this picture as a favourite, in this browser";
  tool("shelf").hidden = !list.length;
  tool("shelf").textContent = `${list.length}`;
  tool("shelf").setAttribute("aria-label", `Favourites (${list.length})`);
  tool("shelf").title = "Favourites";
  if (!list.length) unfold(false);
  shelf.replaceChildren(...list.map(favouriteItem));
}

function favouriteItem({ link, src, label }) {
  const item = Object.assign(document.createElement("div"), { className: "favourite" });
  const open = Object.assign(document.createElement("button"), { type: "button", className: "open", title: label });
  open.setAttribute("aria-label", `Open ${label}`);
  open.append(Object.assign(new Image(), { src, alt: "" }));
  open.addEventListener("click", () => openFavourite(link));
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "drop", textContent: "×" });
  remove.setAttribute("aria-label", `Remove ${label} from the favourites`);
  remove.addEventListener("click", () => {
    keep(favourites().filter((one) => one.link !== link));
    drawFavourites();
  });
  item.append(open, remove);
  return item;
}

// As if the visitor had come to that address: a step of the history that can be undone.
function openFavourite(link) {
  unfold(false);
  if (link === location.search) return;
  document.dispatchEvent(new CustomEvent("fgsd:open", { detail: link }));
}

function unfold(now) {
  shelf.hidden = !now;
  tool("shelf").setAttribute("aria-expanded", now);
}

tool("star").addEventListener("click", star);
tool("shelf").addEventListener("click", () => unfold(shelf.hidden));
document.addEventListener("pointerdown", (event) => event.target.closest?.(".tools") || unfold(false));
tools.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || shelf.hidden) return;
  unfold(false);
  tool("shelf").focus();
});
for (const kind of ["fgsd:history", "fgsd:user-textures"]) {
  document.addEventListener(kind, () => setTimeout(drawFavourites)); // once all others have heard of it
}
window.addEventListener("storage", drawFavourites); // another tab has kept one
drawFavourites();
