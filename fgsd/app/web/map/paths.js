// What other rooms bring onto the map: paths of samples (`fgsd:path`) and the visitor's own textures (`fgsd:user-textures`).
const paths = { run: null, steps: [] }; // of the newest run, in order

// detail: {run, index, places: {pca: [[x, y] of each image], umap: the same}}
document.addEventListener("fgsd:path", ({ detail }) => {
  if (detail.run !== paths.run) Object.assign(paths, { run: detail.run, steps: [] });
  paths.steps = paths.steps.filter((step) => step.index < detail.index);
  paths.steps.push(detail);
  repaint();
});

function paintPaths() {
  const steps = onMap() ? paths.steps.map((step) => step.places[shown.projection]).filter(Boolean) : [];
  room.dataset.path = steps.length;
  if (!steps.length) return;
  for (let image = 0; image < steps.at(-1).length; image += 1) {
    const places = steps.filter((step) => step[image]).map((step) => step[image]);
    const line = places.map(([x, y]) => onScreen({ x, y }));
    for (const [colour, width] of [[colours().raised, 4], [colours().ink, 1.5]]) {
      over.strokeStyle = over.fillStyle = colour;
      over.lineWidth = width;
      over.lineJoin = "round";
      over.beginPath();
      for (const { x, y } of line) over.lineTo(x, y);
      over.stroke();
      over.beginPath();
      over.arc(line.at(-1).x, line.at(-1).y, 2.5 + width / 2, 0, 2 * Math.PI);
      over.fill();
    }
  }
}

// detail: [{name, src, pca: [[x, y] of each level], umap: the same or null}, ...], all that there are
document.addEventListener("fgsd:user-textures", ({ detail }) => {
  const now = new Map(detail.map((one) => [one.name, one]));
  for (const name of [...own.keys()].filter((name) => !now.has(name))) {
    dots.get(name).remove();
    for (const known of [own, dots, spots]) known.delete(name);
  }
  for (const [name, one] of now) {
    if (classes.includes(name)) continue;
    own.set(name, one);
    if (!dots.has(name)) {
      const dot = make("button", { type: "button", className: "dot user-texture", ariaLabel: `${name}, your own` });
      dot.append(make("i", {}), make("b", { textContent: name }));
      dot.dataset.name = name;
      map.insertBefore(dot, over.canvas);
      dots.set(name, dot);
    }
    dots.get(name).style.setProperty("--src", `url("${one.src.replace(/["\\\n]/g, "")}")`);
  }
  arrange();
  draw();
});
