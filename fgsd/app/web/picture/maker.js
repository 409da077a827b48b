// Who makes the next preview: the server, or the visitor's own machine.

/** @typedef {"server" | "browser"} Maker */
/** @typedef {{ times: number[], at: number }} Measured the last milliseconds of previews, and when the newest
 *  was made */

const KEPT = 5; // times
export const ENOUGH = 3; // times of the browser, before it is chosen: the first ones are slow
// the one who is not chosen is measured again after this time; a slow one is asked for more rarely
const [RETRY_MS, RETRY_TIMES] = [10_000, 20];
const MARGIN = 0.8; // of the time of the one who made the last: both may show different parts of a picture

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {Measured} measured @param {number} ms @param {number} now @returns {Measured} */
export const withTime = ({ times }, ms, now) => ({ times: [...times, ms].slice(-KEPT), at: now });

/**
 * Choose the one whose last times have the lower median.
 *
 * @param {Record<Maker, Measured> & { maker: Maker }} measured and who made the last preview
 * @param {number} now milliseconds
 * @returns {{ maker: Maker, measure: Maker | null }} and who else is to be measured beside it
 */
export function nextMaker({ server, browser, maker: before }, now) {
  if (!server.times.length) return { maker: "server", measure: null };
  if (browser.times.length < ENOUGH) return { maker: "server", measure: "browser" };
  const share = median(browser.times) / median(server.times);
  const maker = share < (before === "browser" ? 1 / MARGIN : MARGIN) ? "browser" : "server";
  const other = maker === "browser" ? "server" : "browser";
  const { times, at } = other === "server" ? server : browser;
  const isDue = now - at > Math.max(RETRY_MS, RETRY_TIMES * median(times));
  return { maker, measure: isDue ? other : null };
}
