// The picture in full screen, also while the ring wanders: a screen saver.
import { find } from "../shared/dom.js";

/**
 * @param {HTMLElement} panel
 * @param {() => void} repaint what is on the screen, which has another size
 */
export function createFullScreen(panel, repaint) {
  const [stage, button] = [find(panel, ".stage"), find(panel, ".full-screen")];
  button.hidden = !document.fullscreenEnabled; // a frame may refuse it, and so do some phones
  button.addEventListener("click", () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void stage.requestFullscreen().catch(() => undefined); // the browser says why
  });
  stage.addEventListener("fullscreenchange", () => {
    const isOpen = document.fullscreenElement === stage;
    button.setAttribute("aria-label", isOpen ? "Leave full screen" : "Full screen");
    button.title = button.ariaLabel ?? "";
    requestAnimationFrame(repaint);
  });
}
