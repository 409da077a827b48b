// Each picture that was sampled is a step of the browser's history: Back and Forward undo and redo.
// Stands before picture.js, in the same function. Others hear of each step by `fgsd:history`.
let travelling = false; // the visitor goes through the history, and the picture is not there yet
let lastStep = history.state?.step ?? 0;
let toldStep = ""; // what the others have heard last

const stepNow = () => history.state?.step ?? 0;

function tellStep() {
  lastStep = Math.max(lastStep, stepNow());
  const now = `${stepNow()} ${lastStep} ${location.search}`;
  if (now === toldStep) return;
  toldStep = now;
  document.dispatchEvent(new CustomEvent("fgsd:history", { detail: { step: stepNow(), last: lastStep } }));
}

// What the address says of the map is the map's own, and stays.
function withMap(link) {
  const [map] = /(?<=[?&])show=[\w-]+/.exec(location.search) ?? [];
  return map ? `${link}&${map}` : link;
}

// A picture of this link is on the screen; `first` is the link of the first screen, whose address is bare.
function remember(link, first) {
  const address = withMap(link);
  if (address === location.search) travelling = false;
  else if (travelling) return; // one that the visitor has left already
  else if (!location.search.includes("mix=") && link === first) history.replaceState(history.state, "", address);
  else {
    lastStep = stepNow() + 1;
    history.pushState({ step: lastStep }, "", address);
  }
  tellStep();
}

// Calls `open` with the query of each address that the visitor goes back or forward to, or that another room
// asks for by `fgsd:open`.
function travel(first, open) {
  document.addEventListener("fgsd:open", ({ detail: link }) => {
    remember(link, first());
    travelling = true;
    open(link);
  });
  window.addEventListener("popstate", () => {
    travelling = true;
    if (!location.search.includes("mix=")) history.replaceState(history.state, "", withMap(first()));
    tellStep();
    open(location.search);
  });
  for (const kind of ["pointerdown", "keydown", "drop", "paste"]) {
    window.addEventListener(kind, () => (travelling = false), true); // what follows is a step of its own
  }
}
