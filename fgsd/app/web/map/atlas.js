// The sheet of all thumbnails. Python puts it into the page as a data URI, so that it is there at once. A
// short address takes its place: the browser reads the value anew for each element whose style changes.

/**
 * @param {HTMLElement} element whose custom properties hold the sheet
 * @returns {Promise<HTMLImageElement>}
 */
export async function shortenAtlas(element) {
  const image = new Image();
  const uri = addressIn(getComputedStyle(element).getPropertyValue("--fgsd-atlas"));
  image.src = uri;
  if (uri.startsWith("data:")) {
    const content = Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([content], { type: "image/webp" }));
    const short = Object.assign(new Image(), { src: address });
    await short.decode(); // else thumbnails would be empty for a moment
    document.documentElement.style.setProperty("--fgsd-atlas", `url("${address}")`);
    return short;
  }
  await image.decode();
  return image;
}

/** The address in a value of CSS such as `url("data:...")`. @param {string} value */
export function addressIn(value) {
  return /^\s*url\((["']?)(.*)\1\)\s*$/s.exec(value)?.[2] ?? "";
}
