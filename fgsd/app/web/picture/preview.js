// The preview: the picture follows the ring on the map, while the visitor drags it, and a texture that is
// being learned.
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { mapTarget } from "../shared/map_target.js";
import { isFollowing, previewRun, requestPreview } from "../shared/preview.js";
import { current } from "../shared/session.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

/**
 * @param {HTMLElement} panel
 * @param {import("../shared/dom.js").Panel["server"]} server
 * @param {(value: import("./index.js").Value) => void} receive takes the picture
 */
export function createPreview(panel, server, receive) {
  const showPreview = latest(async (/** @type {TargetEntry[]} */ target) => {
    if (!isFollowing()) return;
    const { frame, error, nearest } = await requestPreview(server, { target });
    if (frame || error) {
      receive({ run: previewRun(panel.dataset.run), preview: true, frames: frame ? [frame] : [], error });
    }
    if (nearest) emit("nearest", nearest);
  });
  on("move", (target) => void showPreview(target));
  /** Show what is learned so far, if it is part of the target. */
  function followLearning() {
    const learning = current("learning") ?? [];
    if (!learning.length || current("drag") || current("mode")?.mode !== "sample") return;
    const target = mapTarget();
    if (target.some(({ name }) => learning.includes(name))) void showPreview(target);
  }
  for (const name of /** @type {const} */ (["user-textures", "running"])) on(name, followLearning);
}
