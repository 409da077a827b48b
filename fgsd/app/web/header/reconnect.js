// The server goes away: it is started again, or the network fails. Stands after favourites.js, in the same function.
// The page says so, and once there is a server again it opens anew, as what it was. Without this, Gradio notices
// only when an event is lost, and then opens whatever the address holds.
const LOOK_MS = 4000; // between two looks at the server
const AWAY_MS = 1000; // the same while it is away
const BACK_MS = 10000; // that the news from before the page was opened anew stay
const WORDS = "The server is away. This page comes back by itself once it is there again.";
const LOST = "The server was started again: your own textures are gone, please add them once more.";
const PARAMETERS = { strip: "places", "coarse-fine": "switch" }; // of the modes that have one; see link.py
const KEYS = { n: "images", view: "watch" }; // of the address, where they are not the names of the settings
const notice = tool("offline");
let settingsNow = null; // values of the controls, in their order
let modeNow = { mode: "sample" };
let looking = false;
let timer = 0;

const targetNow = () => JSON.parse(document.querySelector(".map-panel").dataset.target ?? "[]");
const isOwn = ({ name }) => Boolean(document.querySelector(`.dot.user-texture[data-name="${CSS.escape(name)}"]`));

// What the visitor has set goes into the address, from which the page will open, also what no run has answered.
// Own textures went with the server.
function keepInAddress() {
  const target = targetNow();
  const rest = target.filter((entry) => !isOwn(entry));
  if (rest.length < target.length) sessionStorage.setItem("fgsd:lost", "own");
  if (!settingsNow || !target.length) return;
  const query = new URLSearchParams(location.search);
  for (const key of ["mix", "tile", "mode", ...Object.values(PARAMETERS)]) query.delete(key);
  if (rest.length) {
    const part = ({ name, weight, move }) => [encodeURIComponent(name), weight / 100, ...(move ?? [])].join(":");
    query.set("mix", rest.map(part).join(","));
    const names = document.querySelector(".picture").dataset.settings.split(",");
    for (const [k, name] of names.entries()) if (name !== "tileable") query.set(KEYS[name] ?? name, settingsNow[k]);
    if (settingsNow[names.indexOf("tileable")]) query.set("tile", "1");
    const { mode } = modeNow;
    if (mode !== "sample") query.set("mode", mode);
    if (PARAMETERS[mode]) query.set(PARAMETERS[mode], modeNow[PARAMETERS[mode]]);
  }
  history.replaceState(history.state, "", `?${query}`);
}

function say(words) {
  notice.hidden = !words;
  notice.textContent = words;
}

// The number of the server that answers; null if none does.
async function serverNow() {
  try {
    const answer = await fetch(new URL("gradio_api/app_id", document.baseURI), { cache: "no-store" });
    return answer.ok ? (await answer.json()).app_id : null;
  } catch {
    return null;
  }
}

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(timer);
  const now = document.hidden ? window.gradio_config.app_id : await serverNow();
  const away = now === null;
  const root = document.documentElement;
  if (away || now !== window.gradio_config.app_id) keepInAddress();
  if (!away && now !== window.gradio_config.app_id) return void location.reload();
  if (away !== root.hasAttribute("data-offline")) say(away ? WORDS : "");
  root.toggleAttribute("data-offline", away);
  looking = false;
  timer = setTimeout(look, away ? AWAY_MS : LOOK_MS);
}

document.addEventListener("fgsd:settings", (event) => (settingsNow = event.detail));
document.addEventListener("fgsd:mode", (event) => (modeNow = event.detail));
document.addEventListener("fgsd:lost", look); // a room has had no answer
document.addEventListener("visibilitychange", look);
document.dispatchEvent(new CustomEvent("fgsd:ask-mode"));
if (sessionStorage.getItem("fgsd:lost")) {
  sessionStorage.removeItem("fgsd:lost");
  say(LOST);
  setTimeout(() => notice.textContent === LOST && say(""), BACK_MS);
}
timer = setTimeout(look, LOOK_MS);
