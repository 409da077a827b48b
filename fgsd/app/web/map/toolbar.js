// Switches, search, noise level and colours of the map, and what of them is in the address. Last: it starts all.
const level = room.querySelector(".level");
const search = room.querySelector(".search");
const paint = room.querySelector(".paint");
const feature = room.querySelector(".feature");
const legend = room.querySelector(".legend");
// fingers need the larger thumbnails of the grid
const narrow = window.matchMedia("(max-width: 700px)").matches;
const FIRST = { view: narrow ? "grid" : "map", ...shown };

function show({ view: arrangement, projection, level: at }, ms) {
  const same = projection === shown.projection && at === shown.level;
  Object.assign(shown, { projection, level: at });
  Object.assign(room.dataset, { view: arrangement, projection, level: at });
  for (const button of room.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", button.dataset.show === arrangement);
  }
  for (const button of room.querySelectorAll(".projections [data-projection]")) {
    button.setAttribute("aria-pressed", button.dataset.projection === projection);
  }
  level.value = at;
  level.setAttribute("aria-valuetext", `sigma ${sigmas[at]}`);
  room.querySelector(".sigma").textContent = `σ ${sigmas[at]}`;
  arrange(ms);
  if (onMap()) showCrops(same ? 0 : ms);
  if (crops.values) colourBy();
  measured = null;
  measure();
}

// ---- the address: "show=umap-7" beside what is sampled; nothing while it is as at first ----

function fromAddress() {
  const [, name, at] = /[?&]show=(map|grid|[a-z]+)(?:-(\d+))?(?:&|$)/.exec(location.search) ?? [];
  if (name === "grid") return { ...FIRST, view: "grid" };
  if (!projections.includes(name) || !(Number(at) < sigmas.length)) return FIRST;
  return { view: "map", projection: name, level: Number(at) };
}

function remember() {
  const kept = location.search.slice(1).split("&").filter((part) => part && !part.startsWith("show="));
  const first = room.dataset.view === FIRST.view && shown.projection === FIRST.projection
    && shown.level === FIRST.level;
  if (!first) kept.push(`show=${onMap() ? `${shown.projection}-${shown.level}` : "grid"}`);
  history.replaceState(history.state, "", location.pathname + (kept.length ? `?${kept.join("&")}` : ""));
}

function change(what, ms) {
  look(null);
  show({ view: room.dataset.view, ...shown, ...what }, ms);
  remember();
}

room.querySelector(".bar").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.show) change({ view: button.dataset.show });
  else if (button.dataset.projection) change({ view: "map", projection: button.dataset.projection });
  else if (button === lassoButton) toggleLasso();
  else mix.setAttribute("aria-pressed", mix.getAttribute("aria-pressed") !== "true");
});
level.addEventListener("input", () => change({ view: "map", level: Number(level.value) }, MOVE_MS / 2));
window.addEventListener("popstate", () => {
  const { view: arrangement, projection, level: at } = fromAddress();
  const same = arrangement === room.dataset.view && projection === shown.projection && at === shown.level;
  if (!same) show(fromAddress()); // else the pin stays where it was put
});

// ---- colours ----

async function colourBy() {
  const by = paint.value;
  const { level: at } = shown;
  const index = Math.min(Number(feature.max), Math.max(0, Math.round(Number(feature.value)) || 0));
  feature.hidden = by !== "feature";
  legend.hidden = by !== "feature";
  if (by !== "feature") {
    crops.values = null;
    return tint();
  }
  const found = await ask("map_feature", { index, level: at }).catch((error) => say(error.message));
  if (!found?.values || paint.value !== by || at !== shown.level) return undefined;
  crops.values = decode(found.values);
  legend.querySelector(".low").textContent = found.low.toPrecision(2);
  legend.querySelector(".high").textContent = found.high.toPrecision(2);
  legend.title = `Feature ${index}`;
  return tint();
}
paint.addEventListener("change", colourBy);
feature.addEventListener("change", colourBy);
legend.querySelector("i").style.background = `linear-gradient(90deg, ${VIRIDIS.map((c) => `#${c}`).join(", ")})`;

// ---- search ----

const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();

function found() {
  const wanted = plain(search.value);
  const names = [...dots.keys()].filter((name) => plain(name).includes(wanted));
  return wanted ? names.sort((a, b) => plain(b).startsWith(wanted) - plain(a).startsWith(wanted)) : [];
}

function sift() {
  const names = found();
  const some = plain(search.value) !== "";
  for (const [name, dot] of dots) dot.classList.toggle("faint", some && !names.includes(name));
  if (!some) say(invitation);
  else if (!names.length) say("No texture has that name.");
  else say(`${names.slice(0, 3).join(", ")}${names.length > 3 ? `, and ${names.length - 3} more` : ""}`);
}
search.addEventListener("input", sift);
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") search.value = "";
  else if (event.key !== "Enter") return;
  const [first] = found();
  if (event.key === "Enter" && first) {
    pick(first, event.shiftKey || mix.getAttribute("aria-pressed") === "true");
    search.value = "";
  }
  sift();
});

// ---- names under the pointer ----

for (const kind of ["pointerover", "focusin"]) {
  map.addEventListener(kind, (event) => {
    const name = event.target.closest(".dot")?.dataset.name;
    if (hand || plain(search.value)) return;
    say(name ?? invitation);
    light(name ?? null);
  });
}
map.addEventListener("pointerleave", () => {
  say(invitation);
  look(null);
  light(null);
});
// a texture that the keyboard has reached is brought into sight
map.addEventListener("focusin", (event) => {
  const name = event.target.matches(":focus-visible") && event.target.closest(".dot")?.dataset.name;
  if (!name || !onMap()) return;
  const { x, y } = onScreen(centre(name));
  if (x > 0 && y > 0 && x < box.w && y < box.h) return;
  setView(view.k, view.x + box.w / 2 - x, view.y + box.h / 2 - y);
});

// ---- the beginning ----

new ResizeObserver(() => {
  const { clientWidth: w, clientHeight: h } = map;
  if (!w || (w === box.w && h === box.h)) return;
  const [x, y] = [(view.x * w) / box.w, (view.y * h) / box.h];
  Object.assign(box, { w, h });
  if (!onMap()) arrange(0);
  setView(view.k, x, y);
}).observe(map);
Object.assign(box, { w: map.clientWidth || 1, h: map.clientHeight || 1 });
say(invitation);
watch("value", draw);
show(fromAddress(), 0);
draw();
