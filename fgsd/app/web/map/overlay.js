// Paints the upper canvas: lines from the ring to the textures of the target, and from moved textures to
// their homes.
import { fitCanvas, strokeLines } from "./canvas.js";
import { shareOf } from "./target.js";

/**
 * @param {import("./panel.js").MapPanel} panel
 * @param {import("./thumbnails.js").Thumbnails} thumbnails
 * @param {import("./ring.js").Ring} ring
 * @param {CanvasRenderingContext2D} context
 * @param {() => import("./canvas.js").Theme} theme
 */
export function paintOverlay(panel, thumbnails, ring, context, theme) {
  const { view, target } = panel;
  const ratio = fitCanvas(context.canvas, view.size);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.size.width, view.size.height);
  context.save();
  context.lineCap = "round";
  context.strokeStyle = theme().accent;
  context.globalAlpha = 0.55;
  const centre = view.toPixel(ring.position);
  for (const entry of target.filter(({ name }) => thumbnails.buttons.has(name))) {
    context.lineWidth = 1 + 5 * shareOf(target, entry);
    strokeLines(context, [[centre, view.toPixel(thumbnails.centre(entry.name))]]);
  }
  if (view.isLinear) {
    context.globalAlpha = 0.9;
    context.lineWidth = 1.5;
    context.setLineDash([3, 5]);
    /** @type {[import("./view.js").Position, import("./view.js").Position][]} */
    const lines = [];
    for (const name of thumbnails.moves.keys()) {
      const home = thumbnails.placements.get(name);
      if (home) lines.push([view.toPixel(home), view.toPixel(thumbnails.centre(name))]);
    }
    strokeLines(context, lines);
  }
  context.restore();
}
