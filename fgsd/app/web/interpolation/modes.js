// The switch between the modes. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// The value is {mode, switch, places}; the room with the pictures reads and sets the latter two by events.
const modes = element.querySelector(".modes");
const known = { switch: 0.5, places: 7 }; // what the visitor has set, while another mode is on
const right = document.querySelector("#right");

const value = () => ({ mode: "sample", ...props.value });

function draw() {
  const { mode } = value();
  for (const key of Object.keys(known)) known[key] = value()[key] ?? known[key];
  for (const button of modes.querySelectorAll("button")) {
    const on = button.dataset.mode === mode;
    button.setAttribute("aria-selected", on);
    button.tabIndex = on ? 0 : -1; // the others are reached by arrow keys
  }
  right.dataset.mode = mode;
  document.dispatchEvent(new CustomEvent("fgsd:mode", { detail: { ...known, mode } }));
}

function set(changes) {
  props.value = { ...known, ...value(), ...changes };
  draw();
}

modes.addEventListener("click", (event) => {
  const { mode } = event.target.closest("[data-mode]")?.dataset ?? {};
  if (!mode) return;
  set({ mode });
  trigger("release");
});
modes.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way) return;
  event.preventDefault();
  const buttons = [...modes.querySelectorAll("button")];
  const next = buttons.indexOf(event.target) + way;
  buttons.at(next % buttons.length).focus();
});
// {changes, kind}: "select" takes a slider, which ends the run under way; "release" lets it go
document.addEventListener("fgsd:interpolation", ({ detail }) => {
  set(detail.changes ?? {});
  trigger(detail.kind);
});
document.addEventListener("fgsd:ask-mode", draw);
// what follows the hand on the map is a single picture, whatever the mode
document.addEventListener("fgsd:drag", (event) => right.toggleAttribute("data-drag", event.detail));
watch("value", draw);
draw();
