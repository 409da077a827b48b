// Numbers as the page prints them.

/**
 * Milliseconds, to a tenth where they are few.
 *
 * @param {number} ms
 * @returns {string}
 */
export function formatMs(ms) {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}

/**
 * A share in percent, to a tenth where it is small; a dash if there is none.
 *
 * @param {number | null | undefined} share
 * @returns {string}
 */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/**
 * A mixture in words: "50 % moss · 50 % slate".
 *
 * @param {Record<string, number>} weights share of each texture, from 0 to 1
 * @returns {string}
 */
export function formatMixture(weights) {
  return Object.entries(weights)
    .map(([name, share]) => `${Math.round(100 * share)} % ${name}`)
    .join(" · ");
}
