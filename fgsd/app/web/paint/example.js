// The painting that a visitor finds at first: a river between two banks. It needs textures of the shipped
// checkpoint; with another one, the first painting is the texture that is chosen on the map.
import { Plan } from "./plan.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

const TEXTURES = ["grass", "sand-ripples", "deep-water"];
const COURSE = Array.from({ length: 41 }, (_, k) => {
  const x = -0.1 + (1.2 * k) / 40;
  return [x, 0.5 + 0.17 * Math.sin(5.5 * x - 2.2)];
}); // of the river, in shares of the side
const WIDTHS = [0, 0.4, 0.24]; // of the strokes with each texture; the first covers all

/**
 * The example, or null if a texture of it is missing.
 *
 * @param {number} side of the plan, in pixels
 * @param {(name: string) => boolean} isKnown whether the map has a texture
 * @returns {{ plan: Plan, targets: TargetEntry[][] } | null}
 */
export function examplePainting(side, isKnown) {
  if (!TEXTURES.every(isKnown)) return null;
  const plan = new Plan(side);
  for (const [number, width] of WIDTHS.entries()) {
    if (!number) continue;
    for (let k = 1; k < COURSE.length; k += 1) {
      const [from, to] = [COURSE[k - 1], COURSE[k]].map(([x, y]) => ({ x: x * side, y: y * side }));
      plan.stroke(from, to, width * side, number);
    }
  }
  return { plan, targets: TEXTURES.map((name) => [{ name, weight: 50 }]) };
}
