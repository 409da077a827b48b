// The timeline: goes back and forth through the steps of a run. Behind picture.js, in the same function.
const scrub = room.querySelector(".scrub");
const playing = room.querySelector(".playing");
const chart = room.querySelector(".chart");
const WHOLE_MS = 1600; // that a run takes to play, if its steps then get no longer or shorter than these
const WELCOME_MS = 500; // the same for the first screen, whose sample shall be there soon
const [SHORTEST_MS, LONGEST_MS] = [30, 120];
let ticking = null;

function drawTimeline() {
  const total = steps.at(-1)?.steps ?? onScreen?.steps ?? 1;
  const at = Number(room.dataset.index) || 1;
  scrub.max = total;
  scrub.disabled = playing.disabled = !steps.length;
  scrub.value = at;
  const words = steps[at - 1] ? `Step ${at} of ${total}, noise ${steps[at - 1].sigma.toPrecision(2)}` : "";
  scrub.setAttribute("aria-valuetext", words);
  const known = steps.filter(Boolean);
  room.dataset.steps = known.length;
  drawChart(chart, known, total, steps.length ? at : null);
}

function pause() {
  clearTimeout(ticking);
  ticking = null;
  playing.dataset.playing = false;
  playing.setAttribute("aria-label", "Play the steps");
}

// At a steady pace; on a busy machine those that are late are left out.
function play(first, whole = WHOLE_MS) {
  pause();
  playing.dataset.playing = true;
  playing.setAttribute("aria-label", "Pause");
  const began = performance.now();
  const pace = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, whole / steps.length));
  function tick() {
    const at = Math.min(steps.length, first + Math.floor((performance.now() - began) / pace));
    if (at >= steps.length) pause();
    else ticking = setTimeout(tick, pace);
    goTo(at);
  }
  tick();
}

// The step, or the nearest before it that has come.
function stepAt(at) {
  let k = Math.min(Math.max(at, 1), steps.length) - 1;
  while (k > 0 && !steps[k]) k -= 1;
  return steps[k] ?? steps.find(Boolean);
}

function goTo(at) {
  const frame = stepAt(at);
  if (!frame) return;
  following = frame === steps.at(-1);
  show(frame);
}

scrub.addEventListener("input", () => {
  pause();
  goTo(Number(scrub.value));
});
playing.addEventListener("click", () => {
  const at = Number(room.dataset.index);
  if (ticking !== null) pause();
  else play(at < steps.length ? at : 1);
});

// ---- the chart is a second handle, and shows the values under the pointer ----

function stepUnder(event) {
  const box = chart.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  return stepAt(1 + Math.round(share * (Number(scrub.max) - 1)));
}

chart.addEventListener("pointermove", (event) => {
  const frame = stepUnder(event);
  if (!frame) return;
  if (event.buttons) goTo(frame.index);
  else readOuts(frame);
  drawHover(chart, frame);
});
chart.addEventListener("pointerdown", (event) => {
  const frame = stepUnder(event);
  if (!frame) return;
  chart.setPointerCapture(event.pointerId);
  pause();
  goTo(frame.index);
});
chart.addEventListener("pointerleave", () => {
  drawHover(chart, null);
  if (onScreen) readOuts(onScreen);
});

watch("value", () => receive(props.value));
receive(props.value);
