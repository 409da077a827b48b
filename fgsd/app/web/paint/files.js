// What a visitor takes home from the paint panel: the picture, the plan, and the command that paints it.
import { COLOURS } from "./palette.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./plan.js").Plan} Plan */

/** @param {string} colour "#rrggbb" @returns {[number, number, number]} */
export function channels(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** @param {HTMLImageElement} image @returns {Promise<Blob>} a PNG of its own size */
export function pictureFile(image) {
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** @param {Plan} plan @returns {Promise<Blob>} a PNG with one colour for each region */
export function planFile({ side, numbers }) {
  const image = new ImageData(side, side);
  for (let k = 0; k < numbers.length; k += 1) image.data.set([...channels(COLOURS[numbers[k]]), 255], 4 * k);
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/**
 * The command that paints a plan.
 *
 * @param {Plan} plan
 * @param {TargetEntry[][]} targets of its regions
 * @param {{ feather: string, seed: string, tileable: boolean }} settings
 * @param {(name: string) => boolean} [isOwn] whether a texture is the visitor's own
 * @returns {{ command: string, missing: string }} `missing`: textures that the command line does not know as
 *  they are here, because they were moved or are the visitor's own
 */
export function commandOf(plan, targets, { feather, seed, tileable }, isOwn = isUserTexture) {
  const used = targets
    .map((target, number) => ({ target, number }))
    .filter(({ number }) => plan.used().has(number));
  const legend = used.map(
    ({ target, number }) => `--colour ${quoted(`${COLOURS[number]}=${mixOf(target)}`)}`,
  );
  const entries = used.flatMap(({ target }) => target);
  const missing = entries.filter(({ name, move }) => move || isOwn(name)).map(({ name }) => name);
  const options = `--feather ${feather} --seed ${seed}${tileable ? " --tileable" : ""}`;
  return {
    command: `fgsd paint --labels plan.png ${legend.join(" ")} ${options} -o painting.png`,
    missing: [...new Set(missing)].join(", "),
  };
}

/** A target as the command line takes it. @param {TargetEntry[]} target @returns {string} */
function mixOf(target) {
  if (target.length === 1 && !target[0].name.includes("=")) return target[0].name;
  const total = target.reduce((sum, { weight }) => sum + weight, 0);
  return target
    .map(({ name, weight }) => `${name.replace(/[\\,= ]/g, "\\$&")}=${(weight / total).toFixed(6)}`)
    .join(",");
}

/** Quoted for a shell. @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {string} name */
function isUserTexture(name) {
  const dots = [...document.querySelectorAll(".map-panel .dot.user-texture")];
  return dots.some((dot) => dot instanceof HTMLElement && dot.dataset.name === name);
}
