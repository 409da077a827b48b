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
 * Ask the server for a preview with the current settings.
 *
 * @param {Record<string, (argument: any) => Promise<any>>} server functions of Python
 * @param {{ target: TargetEntry[], interpolation?: Partial<Mode> }} request
 * @returns {Promise<any>} what `fgsd.app.serving.preview` returns; empty if there was no answer
 */
export async function requestPreview(server, request) {
  try {
    return await server.preview({
      settings: current("settings") ?? null,
      visitor: current("visitor") ?? null,
      ...request,
    });
  } catch {
    emit("no-answer");
    return {};
  }
}
