// The picture follows the pin. Stands behind picture.js, in the same function.
// One picture is asked for at a time, always for the newest place: nothing queues up behind a hand in motion.
let settings = null; // values of the controls, in their order
let visitor = null; // by whom the server finds the visitor's own textures
let newest = null; // the target that is still to be asked for
let asking = false;

async function follow(target) {
  newest = target;
  if (asking) return;
  asking = true;
  try {
    while (newest && live) {
      const asked = { target: newest, settings, visitor };
      newest = null;
      const { frame, error } = await server.preview(asked).catch(() => tell("fgsd:lost") ?? {});
      // between two runs: what the run before still sends is ignored, the next one counts on
      const run = Math.floor(Number(room.dataset.run)) + 0.5;
      if (frame || error) receive({ run, live: true, frames: frame ? [frame] : [], error });
    }
  } finally {
    asking = false;
  }
}

document.addEventListener("fgsd:move", (event) => follow(event.detail));
document.addEventListener("fgsd:visitor", (event) => (visitor = event.detail));
document.addEventListener("fgsd:settings", (event) => (settings = event.detail));
