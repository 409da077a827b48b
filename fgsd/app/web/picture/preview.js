// The preview: the picture follows the ring on the map, while the visitor drags it.
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { previewRun, requestPreview } from "../shared/preview.js";
import { current } from "../shared/session.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

/**
 * @param {HTMLElement} panel
 * @param {import("../shared/dom.js").Panel["server"]} server
 * @param {(value: import("./index.js").Value) => void} receive takes the picture
 */
export function createPreview(panel, server, receive) {
  const showPreview = latest(async (/** @type {TargetEntry[]} */ target) => {
    if (!current("drag")) return;
    const { frame, error, nearest } = await requestPreview(server, { target });
    if (frame || error) {
      receive({ run: previewRun(panel.dataset.run), preview: true, frames: frame ? [frame] : [], error });
    }
    if (nearest) emit("nearest", nearest);
  });
  on("move", (target) => void showPreview(target));
}
