// What the panel shows: the images of one frame, decoded and painted, and its values.
import { decodeImage, find } from "../shared/dom.js";
import { readouts } from "../shared/run.js";
import { paintSheet } from "./canvases.js";
import { isPart, paintPart } from "./part.js";

/** @typedef {import("../shared/run.js").Frame} Frame */
/** @typedef {"noise" | "estimate"} Content */
/** @typedef {Content | "both"} View */

/** @type {Record<Content, string>} */
const CAPTIONS = { noise: "noisy image", estimate: "denoised estimate" };

/**
 * Which images of a frame are shown. A preview has only one, in place of the first.
 *
 * @param {View} view
 * @param {boolean} [preview]
 * @returns {Content[]}
 */
export function contentsOf(view, preview = false) {
  if (preview) return ["noise"];
  return view === "both" ? ["noise", "estimate"] : [view];
}

/** @param {Frame} frame @param {Content} content @returns {string} data URI of its sheet */
export const srcOf = (frame, content) => (content === "estimate" && frame.estimate) || frame.src;

/**
 * @param {HTMLElement} panel
 * @param {Object} options
 * @param {(frame: Frame) => boolean} options.mayPaint whether a frame, now decoded, is still to be painted
 * @param {(frame: Frame) => void} options.onPainted
 */
export function createScreen(panel, { mayPaint, onPainted }) {
  const panes = [find(panel, ".samples"), find(panel, ".estimates")];
  const figures = panes.map((pane) => /** @type {HTMLElement} */ (pane.parentElement));
  const state = {
    /** @type {Frame | null} */
    frame: null,
    /** @type {View} */
    view: "noise",
    tiled: false, // whether each seamless image is shown 3 x 3 times
    requested: 0, // frames that were to be shown so far
    painted: 0, // number of the one that is painted; decoding is asynchronous, and older ones must not win
  };

  /**
   * @param {Frame} frame
   * @param {Content[]} contents
   * @param {HTMLImageElement[]} sheets of the contents
   */
  function paint(frame, contents, sheets) {
    if (!frame.preview) {
      panel.dataset.view = contents.length > 1 ? "both" : contents[0];
      figures[1].hidden = contents.length < 2;
      if (contents.length < 2) panes[1].replaceChildren();
    }
    for (const [k, content] of contents.entries()) {
      find(figures[k], "figcaption").textContent = frame.last ? "sample" : CAPTIONS[content];
      if (isPart(frame)) paintPart(panes[k], frame, sheets[k], panel.dataset.tiled === "true");
      else paintSheet(panes[k], frame, sheets[k], state.tiled);
    }
    state.frame = frame;
    Object.assign(panel.dataset, {
      index: frame.index,
      preview: Boolean(frame.preview),
      part: isPart(frame),
      tiled: isPart(frame) ? panel.dataset.tiled : state.tiled && frame.tileable,
      name: frame.name,
    });
    readOut(frame);
    onPainted(frame);
  }

  /** @param {Frame} frame @returns {Promise<void>} */
  async function show(frame) {
    state.requested += 1;
    const number = state.requested;
    const { run } = panel.dataset;
    const contents = contentsOf(state.view, frame.preview);
    const sheets = await Promise.all(contents.map((content) => decodeImage(srcOf(frame, content))));
    if (number < state.painted || run !== panel.dataset.run || !mayPaint(frame)) return undefined;
    const changed = String(contents) !== String(contentsOf(state.view, frame.preview));
    if (changed) return show(frame);
    state.painted = number;
    return paint(frame, contents, sheets);
  }

  /** @param {Frame} frame */
  function readOut(frame) {
    for (const [name, text] of Object.entries(readouts(frame))) {
      find(panel, `[data-readout="${name}"]`).textContent = text;
    }
  }

  /** Paint the frame on screen once more, after a change of `view` or `tiled`. */
  function repaint() {
    if (state.frame) void show(state.frame);
  }

  return { state, show, readOut, repaint };
}
