// Previews: small pictures that follow a drag. They bypass the queue of full runs.
import { emit } from "./events.js";
import { current } from "./session.js";

/** @typedef {import("./events.js").TargetEntry} TargetEntry */
/** @typedef {import("./events.js").Mode} Mode */

/**
 * Id of a preview. It lies between the run on the screen, whose late frames are then ignored, and the next.
 *
 * @param {string | number | undefined} run id of the run on the screen
 * @returns {number}
 */
export const previewRun = (run) => Math.floor(Number(run ?? 0)) + 0.5;

/**
 * Whether the picture follows something now: the ring while the visitor drags it, or a texture that is being
 * learned while no run is under way.
 *
 * @returns {boolean}
 */
export function isFollowing() {
  if (current("painting")) return false;
  if (current("drag")) return true;
  return Boolean(current("learning")?.length) && !current("running")?.running;
}

/**
 * Ask the server for a preview with the current settings.
 *
 * @param {Record<string, (argument: any) => Promise<any>>} server functions of Python
 * @param {{ target: TargetEntry[], interpolation?: Partial<Mode>, page?: string,
 *   number?: number, whole?: boolean }} request
 * @returns {Promise<any>} what `fgsd.app.serving.preview` returns; empty if there was no answer
 */
export async function requestPreview(server, request) {
  try {
    const answer = await server.preview({
      settings: current("settings") ?? null,
      visitor: current("visitor") ?? null,
      ...request,
    });
    if (answer) return answer; // nothing, if the server was ended meanwhile
  } catch {
    // the server is away
  }
  emit("no-answer");
  return {};
}
