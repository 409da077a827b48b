// Requests during a drag: one at a time, always for the newest position, so that none queue up.

/**
 * Wrap an async function so that one call runs at a time. What is asked for meanwhile waits, and only the
 * newest of it is run afterwards. If a call fails, the error reaches whoever started the loop.
 *
 * @template A
 * @param {(argument: A) => Promise<unknown>} run
 * @returns {(argument: A) => Promise<void>} resolves once nothing waits any more, or at once if a call is
 *  running
 */
export function latest(run) {
  /** @type {{ argument: A } | null} */
  let waiting = null;
  let running = false;
  return async (argument) => {
    waiting = { argument };
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = /** @type {{ argument: A }} */ (waiting).argument;
        waiting = null;
        await run(next);
      }
    } finally {
      running = false;
      waiting = null;
    }
  };
}
