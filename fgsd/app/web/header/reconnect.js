// Notices that the server is away, because it is restarted or the network fails, and says so. Once a server
// answers again, the page reloads as it was. By itself, Gradio notices only when an event fails, and then
// opens whatever the address holds.
import { replaceQuery, withLink } from "../shared/address.js";
import { find } from "../shared/dom.js";
import { on } from "../shared/events.js";
import { current } from "../shared/session.js";

/** @typedef {import("../shared/address.js").Link} Link */
/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

const POLL_MS = 4000; // between two looks at the server
const AWAY_POLL_MS = 1000; // the same while it is away
const NOTICE_MS = 10000; // that the notice about lost textures stays
const OFFLINE = "The server is away. This page comes back by itself once it is there again.";
const TEXTURES_LOST = "The server was started again: your own textures are gone, please add them once more.";

/**
 * What the visitor has set, as a link. Changes that no run has answered yet are in it as well; textures that
 * went with the server are not.
 *
 * @param {Object} page
 * @param {TargetEntry[]} page.target weights in percent
 * @param {string[]} page.lost names of the visitor's textures that this browser has not kept
 * @param {string[]} page.names of the settings
 * @param {unknown[]} page.settings values of the controls, in the order of the names
 * @param {import("../shared/events.js").Mode} page.mode
 * @returns {Link | null} null if nothing is left in the target
 */
export function linkOf({ target, lost, names, settings, mode }) {
  const left = target.filter(({ name }) => !lost.includes(name));
  if (!left.length) return null;
  const values = Object.fromEntries(names.map((name, k) => [name, settings[k]]));
  const { tileable, ...rest } = values;
  return {
    target: left.map((entry) => ({ ...entry, weight: entry.weight / 100 })),
    settings: /** @type {Link["settings"]} */ (rest),
    tileable: Boolean(tileable),
    ...mode,
  };
}

/**
 * Enter what the visitor has set into the address, with which the page will open. That textures were lost
 * goes into the entry of the history, which survives a reload also where storage is blocked.
 */
function saveInAddress() {
  /** @type {TargetEntry[]} */
  const target = JSON.parse(find(document, ".map-panel").dataset.target ?? "[]");
  const kept = current("kept") ?? [];
  const userTextures = (current("user-textures") ?? []).map(({ name }) => name);
  const lost = userTextures.filter((name) => !kept.includes(name));
  if (target.some(({ name }) => lost.includes(name))) setTexturesLost(true);
  const settings = current("settings");
  if (!settings || !target.length) return;
  const names = (find(document, ".picture").dataset.settings ?? "").split(",");
  const mode = current("mode") ?? { mode: "sample", switch: 0.5, places: 7 };
  replaceQuery(withLink(location.search, linkOf({ target, lost, names, settings, mode })));
}

/** Whether the page, once it is loaded again, is to say that textures were lost. @param {boolean} lost */
function setTexturesLost(lost) {
  history.replaceState({ ...history.state, texturesLost: lost }, "");
}

/**
 * Id of the server that answers, which is another after a restart.
 *
 * @param {string} base address of the page
 * @returns {Promise<string | null>} null if none answers
 */
export async function answeringServer(base) {
  try {
    const response = await fetch(new URL("gradio_api/app_id", base), { cache: "no-store" });
    return response.ok ? (await response.json()).app_id : null;
  } catch {
    return null;
  }
}

/** @param {HTMLElement} notice */
export function watchServer(notice) {
  const server = /** @type {any} */ (window).gradio_config.app_id; // that has sent this page
  const state = { polling: false, timer: 0 };

  /** @param {string} text empty removes the notice */
  function setNotice(text) {
    notice.hidden = !text;
    notice.textContent = text;
  }

  async function poll() {
    if (state.polling) return;
    state.polling = true;
    clearTimeout(state.timer);
    const answering = document.hidden ? server : await answeringServer(document.baseURI);
    const away = answering === null;
    if (answering !== server) saveInAddress();
    if (!away && answering !== server) return void location.reload();
    const root = document.documentElement;
    if (away !== root.hasAttribute("data-offline")) setNotice(away ? OFFLINE : "");
    root.toggleAttribute("data-offline", away);
    state.polling = false;
    state.timer = window.setTimeout(poll, away ? AWAY_POLL_MS : POLL_MS);
  }

  on("no-answer", poll);
  document.addEventListener("visibilitychange", poll);
  if (history.state?.texturesLost) {
    setTexturesLost(false);
    setNotice(TEXTURES_LOST);
    setTimeout(() => {
      if (notice.textContent === TEXTURES_LOST) setNotice("");
    }, NOTICE_MS);
  }
  state.timer = window.setTimeout(poll, POLL_MS);
}
