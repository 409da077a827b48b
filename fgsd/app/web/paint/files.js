// What a visitor takes home from the paint panel: the plan, and the command that paints it.
import { COLOURS } from "./palette.js";
import { Plan } from "./plan.js";
import { textOf, withText } from "./png.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {{ targets: TargetEntry[][], side?: number, feather: number, seed: number, tileable: boolean }}
 *  Painting what makes a painting, besides its plan */

const KEYWORD = "fgsd-painting"; // of the text in a plan's PNG
const MAX_SIDE = 2048; // pixels of a plan

/** @param {string} colour "#rrggbb" @returns {[number, number, number]} */
export function channels(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * The plan as a PNG with one colour for each region, in which the rest of the painting is a text.
 *
 * @param {Plan} plan
 * @param {Painting} painting
 * @returns {Promise<Blob>}
 */
export async function planFile({ side, numbers }, painting) {
  const image = new ImageData(side, side);
  for (let k = 0; k < numbers.length; k += 1) image.data.set([...channels(COLOURS[numbers[k]]), 255], 4 * k);
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  const png = await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer();
  const file = withText(new Uint8Array(png), KEYWORD, JSON.stringify({ side, ...painting }));
  return new Blob([file], { type: "image/png" });
}

/**
 * Read an image as a plan: each of its most frequent colours is a region, and other colours, such as those of
 * smoothed edges, belong to the nearest of them.
 *
 * @param {File} file
 * @param {number} side of the plan, if the file does not say; the middle square of the image is scaled to it
 * @param {number} most regions
 * @returns {Promise<{ plan: Plan, colours: string[], painting: Painting | null }>} `colours` of the regions;
 *  `painting` if the page has saved the file; rejects if it is no image
 */
export async function openPlan(file, side, most) {
  const painting = paintingOf(textOf(new Uint8Array(await file.arrayBuffer()), KEYWORD));
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const plan = new Plan(painting?.side ?? side);
  const canvas = new OffscreenCanvas(plan.side, plan.side);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingEnabled = false;
  const cut = Math.min(bitmap.width, bitmap.height);
  const [x, y] = [(bitmap.width - cut) / 2, (bitmap.height - cut) / 2];
  context.drawImage(bitmap, x, y, cut, cut, 0, 0, plan.side, plan.side);
  const { data } = context.getImageData(0, 0, plan.side, plan.side);
  const known = painting ? COLOURS.slice(0, painting.targets.length) : [];
  const { colours, numbers } = regionsOf(data, most, known);
  plan.numbers = numbers;
  return { plan, colours, painting };
}

/**
 * The regions of an image.
 *
 * @param {Uint8ClampedArray} pixels four values each
 * @param {number} most regions
 * @param {string[]} known colours of the regions; if empty the most frequent colours of the image
 * @returns {{ colours: string[], numbers: Uint8Array<ArrayBuffer> }} the number of its colour for each pixel
 */
export function regionsOf(pixels, most, known) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  const codes = Uint32Array.from({ length: pixels.length / 4 }, (_, k) => {
    const code = (pixels[4 * k] << 16) | (pixels[4 * k + 1] << 8) | pixels[4 * k + 2];
    counts.set(code, (counts.get(code) ?? 0) + 1);
    return code;
  });
  const frequent = [...counts].sort((one, other) => other[1] - one[1]).slice(0, most);
  const named = frequent.map(([code]) => `#${code.toString(16).padStart(6, "0")}`);
  const colours = known.length ? known : named;
  const bases = colours.map(channels);
  /** @type {Map<number, number>} */
  const nearest = new Map();
  for (const code of counts.keys()) {
    const [red, green, blue] = [code >> 16, (code >> 8) & 255, code & 255];
    const far = bases.map(([r, g, b]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2);
    nearest.set(code, far.indexOf(Math.min(...far)));
  }
  return { colours, numbers: Uint8Array.from(codes, (code) => nearest.get(code) ?? 0) };
}

/** What a text says of its painting, if it does. @param {string | null} text @returns {Painting | null} */
function paintingOf(text) {
  try {
    const painting = JSON.parse(text ?? "null");
    const { side, targets } = painting;
    const fits = Number.isInteger(side) && side > 0 && side <= MAX_SIDE && Array.isArray(targets);
    const named = (/** @type {any} */ entry) => typeof entry?.name === "string";
    const all = (/** @type {any} */ target) => Array.isArray(target) && target.every(named);
    return fits && targets.length && targets.length <= COLOURS.length && targets.every(all) ? painting : null;
  } catch {
    return null;
  }
}

/**
 * The command that paints a plan.
 *
 * @param {Plan} plan
 * @param {TargetEntry[][]} targets of its regions
 * @param {{ feather: number, seed: number, tileable: boolean }} settings
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
