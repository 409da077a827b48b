// The page of a site without a server: it mounts the panels of the app, and samples in a worker.
import { find, findAll, closest } from "../shared/dom.js";
import { on } from "../shared/events.js";
import { current, subscribe } from "../shared/session.js";
import { pressSample } from "../shared/sample_button.js";
import { hasMixture } from "../shared/address.js";
import { Client } from "./client.js";
import { createControls } from "./controls.js";
import { totalBytes } from "./files.js";
import { createLoading } from "./loading.js";
import { createMapServer } from "./map_server.js";
import { createPaintPanel } from "./paint_panel.js";
import { parsePainting } from "./paint_request.js";
import { createPanel } from "./panel.js";
import { paintingToPython, toPython } from "./python_code.js";
import { openLink, parseRequest } from "./request.js";
import { filesWith } from "./runtimes.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("../shared/run.js").Frame} Frame */
/** @typedef {import("./worker.js").Config & import("./request.js").Bounds &
 *   import("./paint_request.js").PaintBounds & Record<string, any>} Site */

const MAX_RUN_MS = 3000; // of the size that is chosen for the visitor
const STEPS = 16;

/**
 * The largest side whose runs take at most `MAX_RUN_MS`.
 *
 * @param {number[]} sizes
 * @param {number} msPerPixel of an evaluation
 */
export function fittingSize(sizes, msPerPixel) {
  return sizes.filter((side) => STEPS * side ** 2 * msPerPixel <= MAX_RUN_MS).at(-1) ?? sizes[0];
}

/**
 * @param {Record<string, { mount: (panel: any) => void }>} modules those of the panels, by their path
 * @param {Site} site
 */
export function start(modules, site) {
  const notice = find(document, "#loading");
  const loading = createLoading(notice);
  const client = new Client(site.worker, site, loading.arrived);
  const controls = createControls(find(document, "#right"), site.settings);
  const state = {
    run: 0, // id of the newest run
    interrupted: -1, // the run that a painting has ended
    /** @type {Promise<void> | null} */
    loaded: null, // all that runs need
    previews: false, // what previews need is there
    sizeChosen: false, // the visitor, or a link, has chosen the size
  };

  // ---- loading, which begins with the first request ----

  /** @param {import("./runtimes.js").Runtime} runtime @returns what is loaded with it */
  function tellSize(runtime) {
    const files = filesWith(site.files, runtime);
    for (const note of findAll(document, "[data-megabytes]")) {
      note.textContent = `${Math.round(totalBytes(files) / 1e6)} MB`;
    }
    return files;
  }

  /** @returns {Promise<void>} */
  function load() {
    state.loaded ??= (async () => {
      await loading.agree(tellSize(await client.choose()));
      const { msPerPixel, refused } = await client.call("loadPreviews");
      if (refused) console.info("WebGPU is not used:", refused);
      state.previews = true;
      if (!state.sizeChosen) controls.set({ size: fittingSize(site.sizes, msPerPixel) });
      await client.call("loadRuns");
      loading.done();
    })();
    state.loaded.catch(() => {
      loading.failed();
      state.loaded = null;
      state.previews = false;
    });
    return state.loaded;
  }

  // ---- runs ----

  /** @param {number} run @param {unknown} error */
  function fail(run, error) {
    picture.set({ run, error: error instanceof Error ? error.message : String(error) });
  }

  /** Start a run; it ends the one before. */
  async function sample() {
    state.run += 1;
    const { run } = state;
    client.cancel();
    /** @type {Record<string, Frame>} */
    const frames = {};
    try {
      picture.set({ run, frames: [] });
      parseRequest(map.panel.props.value, controls.settings(), site);
      await load();
      if (run !== state.run) return;
      const request = parseRequest(map.panel.props.value, controls.settings(), site);
      const { cancelled } = await client.call("sample", [request], (frame) => {
        if (run !== state.run) return;
        frames[frame.index] = frame;
        picture.set({ run, frames: { ...frames }, link: request.link });
      });
      if (!cancelled || run !== state.run || !current("painting")) return;
      state.interrupted = run;
      picture.set({ run, stopped: true });
    } catch (error) {
      if (run === state.run) fail(run, error);
    }
  }

  function stop() {
    state.run += 1;
    client.cancel();
    picture.set({ run: state.run, stopped: true });
  }

  /** @param {string} query the link to open */
  function open(query) {
    try {
      const linked = openLink(query, controls.settings());
      if (!linked) return;
      parseRequest(linked.target, linked.settings, site);
      state.sizeChosen = true;
      controls.set(linked.settings);
      map.set(linked.target);
      pressSample();
    } catch (error) {
      state.run += 1;
      const sentence = `This link cannot be opened. ${error instanceof Error ? error.message : error}`;
      picture.set({ run: state.run, error: sentence, link: "" });
    }
  }

  /** @param {{ target: TargetEntry[], whole?: boolean }} query */
  async function preview({ target, whole = false }) {
    void load().catch(() => undefined); // its error comes with the run
    if (!state.previews) return {};
    return client.call("preview", [parseRequest(target, controls.settings(), site), whole]);
  }

  /** @param {TargetEntry[]} target */
  async function nearest(target) {
    if (!state.previews) return {};
    return client.call("nearest", [parseRequest(target, controls.settings(), site)]);
  }

  /** @param {string | import("./paint_request.js").PaintQuery} query link of a picture, or of a painting */
  async function lines(query) {
    if (typeof query !== "string") {
      const painting = await parsePainting(query, site);
      return { lines: paintingToPython(painting, query.colours, site.paint.steps, site.checkpoint) };
    }
    const linked = openLink(query, controls.settings());
    if (!linked) return { error: "There is no picture to save yet." };
    return { lines: toPython(parseRequest(linked.target, linked.settings, site), site.checkpoint) };
  }

  // ---- panels ----

  const answering = (/** @type {(query: any) => Promise<any>} */ run) => (/** @type {any} */ query) =>
    run(query).catch((/** @type {Error} */ error) => ({ error: error.message }));
  const picture = createPanel("picture-panel", /** @type {any} */ (site.first), {
    trigger: (_event, { query }) => open(query),
    server: { preview: answering(preview) },
  });
  const map = createPanel("map-panel", /** @type {TargetEntry[]} */ (site.target), {
    trigger: (event) => (event === "release" ? void sample() : client.cancel()),
    server: createMapServer(/** @type {any} */ (site), nearest),
  });
  const save = createPanel("save-panel", null, {
    trigger: () => undefined,
    server: { lines: answering(lines) },
  });
  const header = createPanel("toolbar", null, { trigger: () => undefined });
  if (site.paint) {
    const isLoaded = () => state.previews;
    const paint = createPaintPanel({ client, bounds: site, load, isLoaded, notice });
    modules["paint/button.js"].mount(createPanel("paint-button", null, { trigger: () => undefined }).panel);
    modules["paint/index.js"].mount(paint);
    subscribe("painting", (isOpen) => !isOpen && state.interrupted === state.run && void sample());
  }
  modules["header/toolbar.js"].mount(header.panel);
  modules["save/index.js"].mount(save.panel);
  modules["map/index.js"].mount(map.panel);
  modules["picture/index.js"].mount(picture.panel);

  controls.sample.addEventListener("click", () => void sample());
  find(document, "#stop").addEventListener("click", stop);
  find(document, "#another").addEventListener("click", () => {
    controls.set({ seed: Math.floor(1e6 * Math.random()) });
    pressSample();
  });
  document.addEventListener("change", (event) => {
    const select = closest(event, "#controls select");
    if (select?.getAttribute("name") === "size") state.sizeChosen = true;
    if (select) pressSample();
  });
  on("drag", (dragging) => dragging && void load().catch(() => undefined));
  tellSize("wasm");
  void navigator.serviceWorker?.register("service-worker.js").catch(() => undefined); // blocked: no offline
  if (hasMixture(location.search)) open(location.search);
}
