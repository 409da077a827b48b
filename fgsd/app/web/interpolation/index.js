// The interpolation panel: what lies between textures, shown instead of the picture panel.
import { find, make } from "../shared/dom.js";
import { emit } from "../shared/events.js";
import { formatMs } from "../shared/format.js";
import { latest } from "../shared/latest.js";
import { previewRun, requestPreview } from "../shared/preview.js";
import { announce, subscribe } from "../shared/session.js";
import { createCoarseFine } from "./coarse_fine.js";
import { createExports } from "./exports.js";
import { byPosition, decodeSheets, headline } from "./frame.js";
import { createPlayer } from "./loop.js";
import { createStages } from "./stages.js";

/** @typedef {import("./frame.js").SentFrame} SentFrame */

/**
 * What the server sends: a frame of a run, or why there are no more. Also what a preview brings.
 *
 * @typedef {Object} Value
 * @property {number} run its id; what arrives late from a run older than the one on the screen is ignored
 * @property {SentFrame} [frame]
 * @property {{ mode: string, sentence: string, button: string }} [need] textures are missing: a sentence that
 *  says so, and the words of the button that adds them
 * @property {string} [link] of the run
 * @property {string} [error] a sentence for the visitor
 * @property {boolean} [stopped]
 * @property {boolean} [preview]
 */

/**
 * The line of values under the pictures.
 *
 * @param {Pick<SentFrame, "count" | "size" | "index" | "steps" | "ms" | "device">} frame
 */
export function readout({ count, size, index, steps, ms, device }) {
  const pictures = count === 1 ? "1 picture" : `${count} pictures`;
  const step = `step ${index} / ${steps}`;
  return [pictures, `${size} px`, step, `${formatMs(ms)} ms a step`, device].join("  ·  ");
}

/** @param {import("../shared/dom.js").Panel<Value>} panel */
export function mount({ element, trigger, props, server, watch }) {
  const panel = find(element, ".interpolation");
  const [title, values] = [find(panel, ".headline"), find(panel, ".readout")];
  const [message, status] = [find(panel, ".error"), find(panel, ".status")];
  const progress = find(panel, ".progress");
  const missing = find(panel, ".missing");
  const stripSize = find(panel, ".strip-size select", HTMLSelectElement);
  const state = {
    mode: "sample",
    requested: 0, // frames that were to be shown so far
    painted: 0, // number of the one that is painted; decoding is asynchronous, and older ones must not win
    /** @type {import("./frame.js").Cells} decoded pictures of the frame on the screen */
    cells: new Map(),
  };
  const player = createPlayer(panel);
  const coarseFine = createCoarseFine(panel, {
    onGrab: () => emit("interpolation", { kind: "select", changes: {} }),
    onDrag: (sigma) => void preview(sigma),
    onRelease: (sigma) => emit("interpolation", { kind: "release", changes: { switch: sigma } }),
    onSwap: () => trigger("release"),
  });
  const stages = createStages(find(panel, ".stage"), {
    loop: player.createStage,
    coarseFine: coarseFine.createStage,
    onSelect: (weights) => trigger("select", { weights }),
  });
  const files = createExports(find(panel, ".exports"), {
    onCopied: () => (status.textContent = "Link copied."),
  });

  // ---- what arrives ----

  /** @param {Value} value */
  function receive(value) {
    if (!value || typeof value !== "object" || value.run < Number(panel.dataset.run ?? 0)) return;
    if (value.preview && !coarseFine.state.dragging) return; // a late reply: the visitor has let go
    if (value.link) emit("linked", value.link);
    if (String(value.run) !== panel.dataset.run) begin(value.run);
    showError(value.error ?? "");
    panel.classList.toggle("stopped", Boolean(value.stopped || value.error));
    if (value.stopped) status.textContent = "Stopped.";
    const ended = Boolean(value.stopped || value.error || value.need || value.frame?.last);
    if (!value.preview) announce("running", { run: value.run, running: !ended });
    if (value.need || value.frame) showMissing(value.need ?? null);
    if (value.frame) void show({ ...value.frame, preview: value.preview });
  }

  /** @param {number} run id of the run that begins */
  function begin(run) {
    Object.assign(panel.dataset, { run, index: 0, done: false });
    status.textContent = "";
    if (run) files.offer(null);
  }

  /** @param {string} error empty if there is none */
  function showError(error) {
    message.hidden = !error;
    message.textContent = error;
  }

  /** Ask for the textures that are missing. @param {Value["need"] | null} need null if there is none */
  function showMissing(need) {
    missing.hidden = !need;
    if (!need) return;
    clear();
    find(missing, "p").textContent = need.sentence;
    const button = find(missing, "button");
    button.textContent = need.button;
    button.hidden = !need.button;
    panel.dataset.done = "true";
  }

  /** @param {SentFrame} sent */
  async function show(sent) {
    state.requested += 1;
    const number = state.requested;
    const { run } = panel.dataset;
    const cells = await decodeSheets(sent.sheets, state.cells);
    if (number < state.painted || run !== panel.dataset.run || sent.mode !== state.mode) return;
    if (sent.preview && !coarseFine.state.dragging) return;
    state.painted = number;
    state.cells = cells;
    paint({ ...sent, pictures: byPosition(sent.sheets, cells) });
  }

  /** @param {import("./frame.js").Frame} frame */
  function paint(frame) {
    title.textContent = title.title = headline(frame);
    stages.paint(frame);
    if (frame.mode === "strip") offerSizes(frame);
    const done = frame.last && !frame.preview;
    Object.assign(panel.dataset, { index: frame.index, done, preview: Boolean(frame.preview) });
    progress.setAttribute("aria-valuemax", String(frame.steps));
    progress.setAttribute("aria-valuenow", String(frame.index));
    progress.style.setProperty("--share", String(frame.index / frame.steps));
    values.textContent = readout(frame);
    files.offer(done ? frame : null);
    if (done) status.textContent = `Finished: ${state.mode} of ${frame.label}.`;
  }

  function clear() {
    state.requested += 1; // frames that are still being decoded are not painted
    state.painted = state.requested;
    stages.clear();
    title.textContent = "";
    values.textContent = "";
    progress.style.setProperty("--share", "0");
    files.offer(null);
  }

  // ---- the mode, and its controls ----

  /** @param {import("../shared/events.js").Mode} next */
  function changeMode(next) {
    if (next.mode !== state.mode) {
      state.mode = next.mode;
      clear();
      missing.hidden = true;
      message.hidden = true;
    }
    panel.dataset.mode = state.mode;
    find(panel, ".strip-size").hidden = state.mode !== "strip";
    find(panel, ".player").hidden = state.mode !== "loop";
    coarseFine.set(next.switch);
  }

  /** Offer the numbers of pictures that a strip of these textures can have. @param {SentFrame} frame */
  function offerSizes({ count, fitting }) {
    if (stripSize.value === String(count) && stripSize.length === fitting.length) return;
    const options = fitting.map((n) =>
      make("option", { value: String(n), textContent: String(n), selected: n === count }),
    );
    stripSize.replaceChildren(...options);
  }

  const preview = latest(async (/** @type {number} */ sigma) => {
    const { frame } = stages.state;
    if (!frame || !coarseFine.state.dragging) return;
    const interpolation = { mode: state.mode, switch: sigma };
    const reply = await requestPreview(server, { target: frame.chosen, interpolation });
    const run = previewRun(panel.dataset.run);
    if (reply.frame || reply.error) receive({ run, preview: true, frame: reply.frame, error: reply.error });
  });

  find(missing, "button").addEventListener("click", () => trigger("input"));
  stripSize.addEventListener("change", () =>
    emit("interpolation", { kind: "release", changes: { places: Number(stripSize.value) } }),
  );
  subscribe("mode", changeMode);
  watch("value", () => receive(props.value));
  receive(props.value);
}
