// The preview: the picture follows the ring on the map, while the visitor drags it.
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { current } from "../shared/session.js";

/** @typedef {import("./run.js").Frame} Frame */
/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

/**
 * Id of a preview: between the run on the screen, whose late frames are then ignored, and the next run.
 *
 * @param {string | number | undefined} run
 * @returns {number}
 */
export const previewRun = (run) => Math.floor(Number(run ?? 0)) + 0.5;

/**
 * @param {HTMLElement} panel
 * @param {Object} options
 * @param {(argument: any) => Promise<any>} options.request asks the server for the picture of a target
 * @param {(value: import("./index.js").Value) => void} options.receive takes the picture
 */
export function createPreview(panel, { request, receive }) {
  const follow = latest(async (/** @type {TargetEntry[]} */ target) => {
    if (!current("drag")) return;
    const argument = { target, settings: current("settings") ?? null, visitor: current("visitor") ?? null };
    const { frame, error, nearest } = await request(argument).catch(() => {
      emit("no-answer");
      return {};
    });
    if (frame || error) {
      receive({ run: previewRun(panel.dataset.run), preview: true, frames: frame ? [frame] : [], error });
    }
    if (nearest) emit("nearest", nearest);
  });
  on("move", (target) => void follow(target));
}
