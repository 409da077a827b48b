// plotly's script, which is loaded when the map in 3D is first opened.
import { make } from "../shared/dom.js";

/** @typedef {(event: string, handler: (detail: any) => void) => void} Listen */
/** @typedef {HTMLElement & { on: Listen, layout: any }} Plot */
/**
 * @typedef {Object} Plotly the part that is used
 * @property {(plot: HTMLElement, traces: object[], layout: object, config?: object) => Promise<Plot>} react
 * @property {(plot: HTMLElement, changes: object) => Promise<void>} relayout
 * @property {(plot: HTMLElement) => void} purge
 */

/** @type {Promise<Plotly> | null} */
let loading = null;

/**
 * Load the script once.
 *
 * @param {string} address relative to the page
 * @returns {Promise<Plotly>} rejects if it cannot be loaded; the next call then tries again
 */
export function loadPlotly(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = make("script", { src: new URL(address, document.baseURI).href });
    script.addEventListener("load", () => resolve(/** @type {any} */ (window).Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new Error("The script that draws the map in 3-D cannot be loaded."));
    });
    document.head.append(script);
  });
  return loading;
}

/**
 * How the browser draws with WebGL: not at all, with a processor or with a graphics card.
 *
 * @returns {"none" | "software" | "hardware"}
 */
export function webGlKind() {
  const context = make("canvas").getContext("webgl");
  if (!context) return "none";
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = info ? String(context.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  release(context);
  return /swiftshader|llvmpipe|software|basic render/i.test(renderer) ? "software" : "hardware";
}

/** Give the memory of a context back at once: browsers allow a few contexts only.
 *  @param {RenderingContext | null} context */
function release(context) {
  if (context instanceof WebGLRenderingContext) context.getExtension("WEBGL_lose_context")?.loseContext();
}

/** Remove a plot, and release its contexts. @param {Plotly} plotly @param {HTMLElement} plot */
export function removePlot(plotly, plot) {
  const contexts = [...plot.querySelectorAll("canvas")].map((canvas) => canvas.getContext("webgl"));
  plotly.purge(plot);
  contexts.forEach(release);
  plot.replaceChildren();
}
