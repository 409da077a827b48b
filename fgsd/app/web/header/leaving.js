// Leaving the page while a run is under way.

/**
 * Postpone what Gradio aborts when the browser asks whether it may leave (`beforeunload`), until it has left.
 *
 * Gradio's listener comes first and cannot be stopped. It aborts the stream of answers, and then takes its
 * own abort for a lost network: errors on the console, "Connection Lost" over the page and, after two
 * seconds, a reload, which cancels the navigation if the other page is slower than that. After the page is
 * left, the browser ends all requests by itself, except for a page that it keeps for the way back: its
 * requests are aborted then.
 */
export function postponeAborts() {
  const { abort } = AbortController.prototype;
  /** @type {Set<AbortController>} */
  const postponed = new Set();
  AbortController.prototype.abort = function abortOrPostpone(/** @type {[reason?: any]} */ ...reason) {
    if (window.event?.type === "beforeunload") postponed.add(this);
    else abort.apply(this, reason);
  };
  window.addEventListener("pagehide", ({ persisted }) => {
    if (persisted) for (const controller of postponed) abort.call(controller);
    postponed.clear();
  });
}
