// The square that is cut out of an image, as pure functions.

/** @typedef {import("./scale.js").Size} Size */
/** @typedef {{ x: number, y: number, side: number, angle: number }} CropBox centre and side of a square in
 *  pixels of the image, and the degrees by which it is turned clockwise */

/** Extent of a turned square over its side. @param {number} angle */
function extent(angle) {
  const radians = (angle * Math.PI) / 180;
  return Math.abs(Math.cos(radians)) + Math.abs(Math.sin(radians));
}

/** Side of the largest square at this angle. @param {Size} image @param {number} angle */
export function largestSide({ width, height }, angle) {
  return Math.min(width, height) / extent(angle);
}

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * The nearest square that lies inside of the image.
 *
 * @param {CropBox} box
 * @param {Size} image
 * @param {number} smallest side that a square may have, if the image is large enough
 * @returns {CropBox}
 */
export function fitted({ x, y, side, angle }, image, smallest) {
  const turned = ((((angle + 180) % 360) + 360) % 360) - 180;
  const largest = largestSide(image, turned);
  const fits = clamp(side, Math.min(smallest, largest), largest);
  const reach = (fits * extent(turned)) / 2;
  return {
    x: clamp(x, reach, image.width - reach),
    y: clamp(y, reach, image.height - reach),
    side: fits,
    angle: turned,
  };
}

/** The largest square in the middle of an image. @param {Size} image @returns {CropBox} */
export function wholeBox({ width, height }) {
  return { x: width / 2, y: height / 2, side: Math.min(width, height), angle: 0 };
}

/**
 * The corners of a square, clockwise from the upper left one.
 *
 * @param {CropBox} box
 * @returns {[number, number][]} in pixels of the image
 */
export function corners({ x, y, side, angle }) {
  const radians = (angle * Math.PI) / 180;
  const [cos, sin] = [(Math.cos(radians) * side) / 2, (Math.sin(radians) * side) / 2];
  return [
    [x - cos + sin, y - sin - cos],
    [x + cos + sin, y + sin - cos],
    [x + cos - sin, y + sin + cos],
    [x - cos - sin, y - sin + cos],
  ];
}

/**
 * Position of a side on a slider, and back: equal steps of the slider are equal ratios of sides.
 *
 * @param {number} side
 * @param {number} smallest
 * @param {number} largest
 * @returns {number} from 0 to 100
 */
export function sliderOf(side, smallest, largest) {
  if (largest <= smallest) return 100;
  return (100 * Math.log(side / smallest)) / Math.log(largest / smallest);
}

/** @param {number} share from 0 to 100 @param {number} smallest @param {number} largest @returns {number} */
export function sideAt(share, smallest, largest) {
  return smallest * Math.max(1, largest / smallest) ** (share / 100);
}
