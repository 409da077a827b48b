// Previews by the visitor's own machine, where that is faster than the server. After the first drag the page
// loads the network, checks that its pixels agree with the server's, and measures both.
import { on } from "../shared/events.js";
import { current } from "../shared/session.js";
import { ENOUGH, nextMaker, withTime } from "./maker.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./local_browser.js").Browser} Browser */
/** @typedef {import("../site/previews.js").Part} Part */
/** @typedef {import("../site/previews.js").Request} Request */
/** @typedef {import("./maker.js").Maker} Maker */
/** @typedef {import("./maker.js").Measured} Measured */
/** @typedef {{ target: TargetEntry[], page: string, number: number, whole?: boolean }} Query */
/** @typedef {{ server: Measured, browser: Measured, part: Part | null, maker: Maker }} Kind of previews
 *  that take equally long; `part` of the pictures is what the server shows, `maker` has made the last one */

const SHAPING = ["n", "size", "strength", "tileable"]; // settings on which the time of a preview depends

/**
 * @param {HTMLElement} panel
 * @param {ReturnType<typeof import("./local_browser.js").createLocalBrowser>} local
 * @param {(query: Query) => Promise<any>} askServer
 * @returns {(query: Query) => Promise<any>} asks the server or the browser; the answers are alike
 */
export function createLocal(panel, local, askServer) {
  const names = (panel.dataset.settings ?? "").split(","); // in the order of the state "settings"
  /** @type {Map<string, Kind>} */
  const kinds = new Map();
  /** @type {Query | null} the newest that the server has answered */
  let last = null;
  let newest = 0; // number of the newest query
  let asked = 0; // previews of the visitor that the browser is making
  let measuring = false;

  /** @param {Query} query @returns {Kind} */
  function kindOf({ whole = false }) {
    const values = current("settings") ?? [];
    const key = JSON.stringify([whole, ...SHAPING.map((name) => values[names.indexOf(name)])]);
    const none = { times: [], at: 0 };
    const kind = kinds.get(key) ?? {
      server: none,
      browser: none,
      part: null,
      maker: /** @type {const} */ ("server"),
    };
    kinds.set(key, kind);
    return kind;
  }

  /** @param {TargetEntry[]} target @returns {Request | null} null if the server has to make it */
  const requestOf = (target) => local.made?.requestOf(target, current("settings") ?? []) ?? null;

  /** @param {Query} query */
  async function fromServer(query) {
    const kind = kindOf(query);
    const began = performance.now();
    const answer = await askServer(query);
    const { frame } = answer;
    if (!frame?.finished) return answer;
    const now = performance.now();
    kind.server = withTime(kind.server, now - began, now);
    kind.part = { n: frame.n, size: frame.size, finished: frame.finished };
    last = query;
    return answer;
  }

  /**
   * @param {Query} query
   * @param {Request} request
   * @param {Browser} by
   * @returns {Promise<any>} null if the browser has failed
   */
  async function fromBrowser(query, request, by) {
    const kind = kindOf(query);
    const began = performance.now();
    try {
      const answer = await by.preview(request, kind.part, Boolean(query.whole));
      const now = performance.now();
      if (answer.frame) kind.browser = withTime(kind.browser, now - began, now);
      return answer;
    } catch (error) {
      local.giveUp(error);
      return null;
    }
  }

  /** Measure the one who does not make a preview. @param {Query} query @param {"server" | "browser"} maker */
  async function measure(query, maker) {
    const [request, { made }] = [requestOf(query.target), local];
    if (measuring || !made || !request) return;
    // the worker would drop for this one what it is making
    if (maker === "browser" && (asked || local.sampling)) return;
    measuring = true;
    await (maker === "server" ? fromServer(query) : fromBrowser(query, request, made));
    measuring = false;
  }

  /** @param {Query} query @returns {ReturnType<typeof nextMaker>} */
  function choose(query) {
    const kind = kindOf(query);
    const chosen = nextMaker(kind, performance.now());
    const isMeasured = kind.server.times.length && kind.browser.times.length >= ENOUGH;
    // where the hand rests, whoever made the part goes on
    const { maker } = kindOf({ ...query, whole: false });
    if (query.whole && !isMeasured && maker === "browser") return { maker, measure: null };
    kind.maker = chosen.maker;
    return chosen;
  }

  async function load() {
    await local.load();
    for (let k = 0; k < ENOUGH; k += 1) if (last && !current("drag")) await measure(last, "browser");
  }

  const ended = [false, false]; // a drag has begun, and ended
  on("drag", (dragging) => {
    if (dragging) ended[0] = true;
    else if (ended[0] && !ended[1]) {
      ended[1] = true;
      void load();
    }
  });

  return async (query) => {
    newest += 1;
    const own = newest;
    const [request, { made }] = [requestOf(query.target), local];
    if (!made || !request) return fromServer(query);
    const { maker, measure: other } = choose(query);
    if (maker === "browser") {
      asked += 1;
      if (other) void measure(query, other);
      const answer = await fromBrowser(query, request, made);
      asked -= 1;
      // without a frame the whole takes long here, if no later query has ended it
      return answer && (answer.frame || own !== newest) ? answer : fromServer(query);
    }
    const answer = await fromServer(query);
    if (other) void measure(query, other);
    return answer;
  };
}
