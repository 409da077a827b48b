// Whole runs by the visitor's own machine, where it makes them sooner than the server: because it is faster,
// or the server is busy. The server numbers and checks each run. Whatever else is made of it (files, lines of
// Python) comes from its link, by the server.
import { on } from "../shared/events.js";
import { setRunMaker } from "../shared/run_maker.js";
import { pressSample } from "../shared/sample_button.js";
import { RunTimes, workOf } from "./run_times.js";

/** @typedef {import("./index.js").Value} Value */
/** @typedef {import("./local_browser.js").Browser} Browser */
/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * A run that was asked for, until it ends.
 *
 * @typedef {Object} Asked
 * @property {unknown} target
 * @property {unknown[]} values of the controls
 * @property {number} work see `workOf`
 * @property {number} at milliseconds
 * @property {number} after id of the run before
 * @property {boolean} byBrowser
 * @property {boolean} waits whether nothing of it has arrived
 */

const CHECK_MS = 250; // time between two looks at a run that waits for the server
const MIN_WAIT_MS = 500; // before the browser makes it instead
const BUSY_MS = 2000; // after that a server without an answer counts as busy, and the network is loaded

/**
 * @param {HTMLElement} panel
 * @param {ReturnType<typeof import("./local_browser.js").createLocalBrowser>} local
 * @param {(value: Value) => void} receive takes the steps, as those of the server
 */
export function createLocalRuns(panel, local, receive) {
  const names = (panel.dataset.settings ?? "").split(","); // of the first values of the controls
  const times = new RunTimes();
  /** @type {Asked | null} the newest run */
  let asked = null;
  let own = 0; // id of the run that the browser makes
  /** @type {import("./maker.js").Maker | null} who makes the next run, whatever the times say */
  let forced = null;

  /** What this machine is asked for; null if the server has to make it. @param {Asked} run */
  function requestOf({ target, values }) {
    const address = new URLSearchParams(location.search);
    // the path through UMAP in 3D is known to the server only
    if (address.has("space") && address.get("show")?.startsWith("umap")) return null;
    return local.made?.runOf(target, values) ?? null;
  }

  /** Take the speed of the network for that of runs, until there was one. @param {number} work */
  function measureFirst(work) {
    if (local.made && times.expected("browser", work) === null) {
      times.add("browser", 1, local.made.msPerPixel());
    }
  }

  /** @param {unknown} target @param {unknown[]} values */
  function choose(target, values) {
    const maker = forced;
    forced = null;
    const mode = /** @type {{ mode?: string } | null} */ (values[names.length])?.mode ?? "sample";
    const settings = Object.fromEntries(names.map((name, k) => [name, values[k]]));
    const work = workOf(/** @type {any} */ (settings));
    if (mode !== "sample" || !(work > 0)) return false;
    const run = { target, values, work, at: performance.now(), after: Number(panel.dataset.run ?? 0) };
    asked = { ...run, byBrowser: false, waits: true };
    measureFirst(work);
    const isFaster = maker !== "server" && (maker === "browser" || times.favoursBrowser(work));
    if (isFaster && requestOf(asked)) {
      asked.byBrowser = local.mayRun;
      if (!local.mayRun) void local.loadRuns();
    }
    if (!asked.byBrowser && maker !== "server") watchServer(asked);
    return asked.byBrowser;
  }

  /** Make a run here that waits too long for the server. @param {Asked} run */
  function watchServer(run) {
    const timer = setInterval(() => {
      const waited = performance.now() - run.at;
      if (run !== asked || !run.waits) clearInterval(timer);
      else if (!local.made) {
        if (waited > BUSY_MS) void local.load();
      } else if (waited > MIN_WAIT_MS && requestOf(run)) {
        measureFirst(run.work);
        if (!times.favoursBrowserAfter(run.work, waited)) return;
        if (!local.mayRun) {
          void local.loadRuns();
          return;
        }
        clearInterval(timer);
        forced = "browser";
        pressSample();
      }
    }, CHECK_MS);
  }

  /** Hear of the steps that arrive from the server. @param {Value} value */
  function hear({ run, preview, frames = {}, error, stopped }) {
    const newest = Object.values(frames).at(-1);
    if (run === 0 && newest?.last) {
      times.add("server", workOf({ ...newest, size: newest.side, sampler: "" }), newest.ms * newest.steps);
    }
    if (preview || !asked || asked.byBrowser || run <= asked.after) return;
    if (newest) asked.waits = false;
    if (newest?.last) {
      times.add("server", asked.work, performance.now() - asked.at);
      void local.load();
    }
    if (newest?.last || error || stopped) asked = null;
  }

  /** The server makes the run after all. @param {number} run */
  function leaveToServer(run) {
    if (own !== run) return;
    own = 0;
    forced = "server";
    pressSample();
  }

  /** Make a run that the server has numbered and checked. @param {Value} value */
  async function begin({ run, browser: link = "" }) {
    if (!asked?.byBrowser || run <= asked.after || run === own) return;
    const { work } = asked;
    const request = requestOf(asked);
    const { made } = local;
    own = run;
    if (!made || !request) return leaveToServer(run);
    /** @type {Record<string, Frame>} */
    const frames = {};
    const began = performance.now();
    let isDone = false;
    local.sampling = true;
    try {
      await made.sample(request, (frame) => {
        if (own !== run) return;
        frames[frame.index] = { ...frame, query: link };
        isDone = frame.last;
        receive({ run, frames: { ...frames }, link });
      });
    } catch (error) {
      local.giveUp(error);
    }
    if (own === run) local.sampling = false;
    if (isDone) times.add("browser", work, performance.now() - began);
    else leaveToServer(run);
    return undefined;
  }

  setRunMaker(choose);
  on("request", () => {
    if (local.sampling) local.made?.cancel();
    local.sampling = false;
    own = 0;
    asked = null;
  });
  return { hear, begin };
}
