// Colours of crops, as 32-bit pixels of a canvas without their opacity (little-endian: 0x00bbggrr).

/** @typedef {[number, number, number]} Rgb from 0 to 255 */

/** The colour scale "viridis" in nine steps. */
export const VIRIDIS = [
  "440154",
  "472d7b",
  "3b528b",
  "2c728e",
  "21918c",
  "28ae80",
  "5ec962",
  "addc30",
  "fde725",
];
const LUMINANCE = [0.21, 0.72, 0.07];
const VISIBLE = { light: [0.12, 0.58], dark: [0.42, 0.9] }; // luminances that stand out from the background

/** @param {Rgb} rgb @returns {number} */
export const packColour = ([r, g, b]) => (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r);

/**
 * Mix a colour with white or black until it stands out from the map's background.
 *
 * @param {Rgb} rgb
 * @param {boolean} dark whether the theme is dark
 * @returns {Rgb}
 */
export function legible(rgb, dark) {
  const luminance = rgb.reduce((sum, value, c) => sum + LUMINANCE[c] * value, 0) / 255;
  const [low, high] = dark ? VISIBLE.dark : VISIBLE.light;
  const mapped = (/** @type {(value: number) => number} */ change) => /** @type {Rgb} */ (rgb.map(change));
  if (luminance < low) return mapped((v) => v + ((255 - v) * (low - luminance)) / (1 - luminance));
  return luminance > high ? mapped((v) => (v * high) / luminance) : rgb;
}

/** @param {number} share from 0 to 1 @returns {Rgb} */
export function viridis(share) {
  const position = share * (VIRIDIS.length - 1);
  const k = Math.floor(position);
  const [low, high] = [VIRIDIS[k], VIRIDIS[Math.min(VIRIDIS.length - 1, k + 1)]].map((hex) =>
    [0, 2, 4].map((c) => parseInt(hex.slice(c, c + 2), 16)),
  );
  return /** @type {Rgb} */ (low.map((value, c) => value + (position - k) * (high[c] - value)));
}
