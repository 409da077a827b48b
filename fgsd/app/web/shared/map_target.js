// What is chosen on the map, for panels that are not told of each change.

/** @returns {import("./events.js").TargetEntry[]} */
export function mapTarget() {
  const map = document.querySelector(".map-panel");
  const text = map instanceof HTMLElement ? map.dataset.target : "";
  return JSON.parse(text || "[]");
}
