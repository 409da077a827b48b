// The report in a frame over the page. Runs once, inside a function of (element, trigger, props, server,
// upload, watch). The frame is made when it is first wanted, so the first screen does not wait for it.
const room = element.querySelector(".evidence");
const dialog = room.querySelector("dialog");
let frame = null;

const inside = () => frame.contentDocument;

function dress() {
  inside().documentElement.style.colorScheme = document.body.classList.contains("dark") ? "dark" : "light";
}

// a link to a part of the report must not become a step of the page's history, which is undo and redo
function follow(event) {
  const link = event.target.closest("a[href^='#']");
  const goal = link && inside().getElementById(link.getAttribute("href").slice(1));
  if (!goal) return;
  event.preventDefault();
  goal.tabIndex = -1;
  goal.focus({ preventScroll: true });
  goal.scrollIntoView();
}

function make() {
  frame = document.createElement("iframe");
  frame.title = "Evidence";
  frame.src = room.dataset.address;
  frame.addEventListener("load", () => {
    dress();
    inside().addEventListener("click", follow);
    inside().addEventListener("keydown", ({ key }) => key === "Escape" && dialog.close());
  });
  dialog.append(frame);
}

room.querySelector(".open").addEventListener("click", () => {
  if (frame) dress();
  else make();
  dialog.showModal();
});
room.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // beside it
dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the page's keys are for the page
