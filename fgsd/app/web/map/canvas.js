// Helpers for the map's canvases, and the colours of the theme.
import { COLOURS } from "./families.js";

/** @typedef {import("./view.js").Size} Size */
/** @typedef {import("./view.js").Position} Position */
/** @typedef {Record<"line" | "quiet" | "accent" | "raised" | "ink", string> &
 *  { dark: boolean, families: number[][] }} Theme `families` holds red, green and blue of each family */

/**
 * Resize a canvas to the map's size in device pixels, with at most two for a CSS pixel.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Size} size in CSS pixels
 * @returns {number} device pixels for a CSS pixel
 */
export function fitCanvas(canvas, size) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return ratio;
}

/** @param {CanvasRenderingContext2D} context @param {[Position, Position][]} lines in CSS pixels */
export function strokeLines(context, lines) {
  context.beginPath();
  for (const [from, to] of lines) {
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
  }
  context.stroke();
}

/** @param {string} hex such as "#ff8800" @returns {number[]} red, green and blue from 0 to 255 */
const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/**
 * Make a function that returns the colours of the theme, computed once for each theme.
 *
 * @param {HTMLElement} element whose custom properties hold them
 * @param {() => void} changed called when the visitor switches between dark and light
 * @returns {() => Theme}
 */
export function watchTheme(element, changed) {
  /** @type {Theme | null} */
  let theme = null;
  new MutationObserver(() => {
    theme = null;
    changed();
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  return () => {
    if (theme) return theme;
    const style = getComputedStyle(element);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    theme = {
      line: colour("line"),
      quiet: colour("quiet"),
      accent: colour("accent"),
      raised: colour("raised"),
      ink: colour("ink"),
      dark: document.body.classList.contains("dark"),
      families: Array.from({ length: COLOURS }, (_, k) => rgbOf(colour(`family-${k}`))),
    };
    return theme;
  };
}
