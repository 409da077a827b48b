// The picture panel: the steps of a run as they arrive, with a timeline, a chart and read-outs.
import { hasMixture, replaceQuery, withWatch } from "../shared/address.js";
import { find, reducedMotion } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { isFollowing } from "../shared/preview.js";
import { Run } from "../shared/run.js";
import { announce, subscribe } from "../shared/session.js";
import { createTimeline, welcomeMs } from "../shared/timeline.js";
import { createDragFilm } from "./drag_film.js";
import { createFullScreen } from "./full_screen.js";
import { createHistory } from "./history.js";
import { createLocalBrowser } from "./local_browser.js";
import { createLocalRuns } from "./local_runs.js";
import { createPreview } from "./preview.js";
import { contentsOf, createScreen, srcOf } from "./screen.js";

/** @typedef {import("../shared/run.js").Frame} Frame */
/** @typedef {import("./screen.js").View} View */

/**
 * What the server sends: the steps of a run, or why there are no more. Also what a preview brings.
 *
 * @typedef {Object} Value
 * @property {number} run its id; what arrives late from a run older than the one on the screen is ignored
 * @property {Frame[] | Record<string, Frame>} [frames] by index: the newest steps; at the end of the run all
 * @property {string} [link] of the run; an empty one clears the address
 * @property {string} [first] link of the first screen
 * @property {string} [error] a sentence for the visitor
 * @property {boolean} [stopped]
 * @property {boolean} [preview]
 * @property {string} [browser] link of the run, if the browser is to make it
 */

const CAPTION_NAMES = 2; // textures of a mixture in the caption

/**
 * The label of a mixture with its heaviest textures alone.
 *
 * @param {string} label such as "9% sand, 91% lava"
 */
export function shortLabel(label) {
  const parts = label.split(", ").sort((one, other) => (parseFloat(other) || 0) - (parseFloat(one) || 0));
  return parts.length > CAPTION_NAMES ? `${parts.slice(0, CAPTION_NAMES).join(", ")} …` : label;
}

/** @param {import("../shared/dom.js").Panel<Value>} panel */
export function mount({ element, trigger, props, server, watch }) {
  const panel = find(element, ".picture");
  const [message, status, caption] = [".message", ".status", ".caption"].map((name) => find(panel, name));
  const source = find(panel, ".source", HTMLImageElement); // the newest picture, pixel for pixel
  const settingNames = (panel.dataset.settings ?? "").split(","); // in the order of the state "settings"
  const state = {
    run: new Run(0), // the one whose steps are kept
    linked: /** @type {number | null} */ (null), // id of the run whose link is in the address
    first: "", // link of the first screen, whose address holds none
  };
  const screen = createScreen(panel, {
    mayPaint: (frame) => !frame.preview || isFollowing(),
    onPainted,
  });
  const timeline = createTimeline(panel, {
    run: () => state.run,
    current: () => screen.state.frame,
    show: (frame) => void screen.show(frame),
    readOut: screen.readOut,
  });
  const history = createHistory({
    first: () => withWatch(state.first, screen.state.view),
    open: (query) => trigger("input", { query }),
  });
  const local = panel.dataset.site ? createLocalBrowser(panel) : null;
  const localRuns = local && createLocalRuns(panel, local, receive);
  createPreview(panel, local, server, receive);
  createFullScreen(panel, () => screen.repaint());
  const film = createDragFilm();

  // ---- what is on the screen ----

  let pathEnd = 0; // index of the step at which the path on the map ends

  /** @param {Frame} frame */
  function onPainted(frame) {
    film.add(frame, srcOf(frame, contentsOf(screen.state.view, frame.preview)[0]), screen.state.tiled);
    caption.hidden = false;
    find(caption, "b").textContent = shortLabel(frame.label);
    if (frame.preview) panel.dataset.done = "false";
    else if (frame.last) finish(frame);
    if (frame.preview || (!frame.last && state.run.followsNewest)) source.src = frame.src;
    timeline.draw();
    if (!frame.preview) emitPathTo(frame.index);
    emit("frame", { run: state.run.id, ...frame });
  }

  /** The samples are there, whether the visitor looks at them or at an earlier step. @param {Frame} frame */
  function finish(frame) {
    source.src = frame.src;
    panel.dataset.done = "true";
  }

  /** @param {Frame} frame */
  function emitPath({ index, sigma, path }) {
    pathEnd = index;
    if (path) emit("path", { run: state.run.id, index, sigma, positions: path });
  }

  /** The path ends at the step on the screen, also where earlier ones were skipped. @param {number} index */
  function emitPathTo(index) {
    const first = Math.min(pathEnd, index - 1);
    for (const frame of state.run.steps.slice(first, index)) if (frame) emitPath(frame);
  }

  // ---- what arrives ----

  /** @param {Value} value */
  function receive(value) {
    if (!value || typeof value !== "object") return;
    if (value.run < Number(panel.dataset.run ?? 0)) return;
    if (value.preview && !isFollowing()) return; // a late reply: the visitor has let go
    localRuns?.hear(value);
    // what arrived of a stopped run can still be looked at, nothing else will arrive
    if (value.stopped) panel.dataset.run = String(value.run);
    else if (String(value.run) !== panel.dataset.run) begin(value.run);
    updateAddress(value);
    showError(value.error ?? "");
    panel.classList.toggle("stopped", Boolean(value.stopped || value.error));
    if (value.stopped) status.textContent = "Stopped.";
    const frames = Object.values(value.frames ?? {});
    const ended = Boolean(value.stopped || value.error || frames.at(-1)?.last);
    if (!value.preview) announce("running", { run: value.run, running: !ended });
    if (frames.length) receiveFrames(value, frames);
    if (value.browser) void localRuns?.begin(value);
  }

  /** @param {number} id of the run that begins */
  function begin(id) {
    Object.assign(panel.dataset, { run: id, index: 0, done: false });
    state.run = new Run(id);
    pathEnd = 0;
    status.textContent = "";
    timeline.pause();
    timeline.draw();
  }

  /** @param {Value} value @param {Frame[]} frames */
  function receiveFrames(value, frames) {
    const newest = frames[frames.length - 1];
    if (value.preview) {
      void screen.show({ ...newest, preview: true });
      return;
    }
    const added = state.run.add(frames);
    if (!added.length) return;
    added.forEach(emitPath);
    timeline.draw();
    const samples = `${newest.n} ${newest.n === 1 ? "sample" : "samples"} of ${newest.label}`;
    if (newest.last) find(panel, ".samples").setAttribute("aria-label", samples);
    if (newest.last && value.run !== 0) status.textContent = `Finished: ${samples}.`;
    if (value.run === 0 && !reducedMotion()) timeline.play(1, welcomeMs(performance.now()));
    else if (state.run.followsNewest) void screen.show(newest);
    else if (newest.last) finish(newest);
  }

  /** @param {Value} value */
  function updateAddress(value) {
    if (value.first) state.first = value.first;
    if (value.link === "") replaceQuery("");
    if (!value.link || state.linked === value.run) return;
    state.linked = value.run;
    panel.dataset.link = value.link;
    history.remember(withWatch(value.link, screen.state.view));
  }

  /** @param {string} error empty if there is none */
  function showError(error) {
    message.hidden = !error;
    message.textContent = error;
  }

  // ---- what the visitor changes in other panels ----

  /** Show another picture of each step; the run stays, since every step holds both. @param {View} view */
  function changeView(view) {
    if (view === screen.state.view) return;
    screen.state.view = view;
    announce("view", view);
    if (hasMixture(location.search)) replaceQuery(withWatch(location.search, view));
    if (!screen.state.frame?.preview) screen.repaint();
  }

  subscribe("settings", (settings) =>
    changeView(/** @type {View} */ (settings[settingNames.indexOf("view")])),
  );
  subscribe("tile", (tiled) => {
    screen.state.tiled = tiled;
    screen.repaint();
  });
  subscribe("painting", (open) => open || screen.repaint()); // the menu saves what is on the screen
  on("linked", history.remember);
  on("error", showError);
  watch("value", () => receive(props.value));
  receive(props.value);
}
