// Draws the plots of the report as they come near the window. Plotly's script is packed in the page, which
// loads nothing: it works as a file too.
(() => {
  /**
   * A trace, with the fields that are used here.
   *
   * @typedef {{
   *   name: string, legendgroup?: string, showlegend?: boolean, visible?: boolean, type?: string,
   *   mode?: string,
   *   x: (number | string | null)[], y: (number | string | null)[], customdata?: string[][],
   *   line?: {color: string, dash?: string}, marker?: {color: string, symbol?: string},
   * }} Trace
   * @typedef {{data: Trace[], layout: Record<string, any>}} Figure
   * @typedef {{
   *   newPlot: Function, react: Function, restyle: Function, Plots: {resize: Function},
   * }} Plotly
   */
  const SYMBOLS = {
    circle: "●",
    square: "■",
    "triangle-up": "▲",
    diamond: "◆",
    "triangle-down": "▼",
    cross: "✚",
    x: "✖",
    star: "★",
  };
  const TICK_WIDTH = 75; // pixels for each tick of a logarithmic axis; plotly's own count lets them touch
  const NEAR = "500px"; // from the window, at which a plot is drawn
  /** @type {{dark: Record<string, string>, plots: Record<string, Figure>}} */
  const stored = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("plots")).textContent ?? "");
  const touch = matchMedia("(pointer: coarse)");
  const config = {
    displaylogo: false,
    responsive: true,
    doubleClick: "reset",
    modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  /** @type {Promise<Plotly> | undefined} */
  let loading;

  /** Unpack plotly's script and run it, once. */
  function plotly() {
    loading ??= (async () => {
      const packed = atob(/** @type {HTMLElement} */ (document.getElementById("plotly")).textContent ?? "");
      const bytes = new Uint8Array(packed.length);
      for (let k = 0; k < bytes.length; k++) bytes[k] = packed.charCodeAt(k);
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = document.createElement("script");
      script.textContent = await new Response(stream).text();
      document.head.append(script);
      return /** @type {any} */ (window).Plotly;
    })();
    return loading;
  }

  /** Whether the page is dark: as the page around it says, or else the system. */
  function isDark() {
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    return scheme === "dark" || (scheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  }

  /** The figure of a place in the colours of the page, with the series that are switched off left out. */
  function figureOf(/** @type {HTMLElement} */ place) {
    let text = JSON.stringify(stored.plots[place.dataset.plot ?? ""]);
    if (isDark())
      for (const [a, b] of Object.entries(stored.dark)) text = text.replaceAll(`"${a}"`, `"${b}"`);
    const { data, layout } = /** @type {Figure} */ (JSON.parse(text));
    const off = hidden.get(place) ?? new Set();
    for (const trace of data) trace.visible = !off.has(trace.legendgroup ?? "");
    // a finger that drags a plot scrolls the page; buttons zoom
    const dragmode = touch.matches ? false : "zoom";
    const margin = { ...layout.margin, t: touch.matches ? 34 : layout.margin.t }; // buttons stay there
    const { xaxis } = layout;
    if (xaxis.type === "log")
      xaxis.nticks = Math.min(xaxis.nticks, Math.floor(place.clientWidth / TICK_WIDTH));
    return { data, layout: { ...layout, showlegend: false, dragmode, margin } };
  }

  /** @type {Map<HTMLElement, Set<string>>} */
  const hidden = new Map();

  async function draw(/** @type {HTMLElement} */ place) {
    try {
      const { newPlot } = await plotly();
      const { data, layout } = figureOf(place);
      hidden.set(place, new Set());
      await newPlot(place, data, layout, config);
      place.dataset.drawn = "";
      const under = document.createElement("div");
      under.className = "under";
      under.append(...legend(place, data), numbers(place, data, layout));
      place.closest("figure")?.append(under);
    } catch (error) {
      place.textContent = `This plot could not be drawn (${error}). The tables have its figures.`;
    }
  }

  async function redraw() {
    const { react } = await plotly();
    for (const place of hidden.keys()) {
      const { data, layout } = figureOf(place);
      react(place, data, layout, config);
      for (const button of place.closest("figure")?.querySelectorAll("button.series") ?? []) {
        colourMark(/** @type {HTMLElement} */ (button), data);
      }
    }
  }

  /** Buttons that switch series off and on; a double click leaves one alone. */
  function legend(/** @type {HTMLElement} */ place, /** @type {Trace[]} */ data) {
    const shown = data.filter((trace) => trace.showlegend !== false);
    const groups = [...new Set(shown.map((trace) => trace.legendgroup ?? ""))];
    if (groups.length < 2) return [];
    const box = document.createElement("div");
    box.className = "legend";
    const buttons = groups.map((group) => {
      const button = document.createElement("button");
      const mark = document.createElement("span");
      mark.setAttribute("aria-hidden", "true");
      Object.assign(button, {
        type: "button",
        className: "series",
        title: "Hide or show; double click: alone",
      });
      button.dataset.group = group;
      button.append(mark, group);
      colourMark(button, data);
      button.addEventListener("click", () => {
        const off = /** @type {Set<string>} */ (hidden.get(place));
        if (!off.delete(group)) off.add(group);
        update();
      });
      button.addEventListener("dblclick", () => {
        hidden.set(place, new Set(groups.filter((other) => other !== group)));
        update();
      });
      return button;
    });

    async function update() {
      const off = /** @type {Set<string>} */ (hidden.get(place));
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(!off.has(button.dataset.group ?? "")));
      }
      const visible = data.map((trace) => !off.has(trace.legendgroup ?? ""));
      (await plotly()).restyle(place, { visible });
    }

    for (const button of buttons) button.setAttribute("aria-pressed", "true");
    box.append(...buttons);
    return [box];
  }

  /** The mark of a series beside its name, as it is drawn. */
  function colourMark(/** @type {HTMLElement} */ button, /** @type {Trace[]} */ data) {
    const group = data.filter((one) => one.legendgroup === button.dataset.group && one.mode !== "text");
    const trace = group.at(-1);
    const mark = /** @type {HTMLElement} */ (button.firstElementChild);
    const lines = (trace?.mode ?? "").includes("lines");
    const symbol = SYMBOLS[/** @type {keyof typeof SYMBOLS} */ (trace?.marker?.symbol ?? "")] ?? "";
    const bare = trace?.line?.dash ? "╌╌" : "○";
    mark.textContent = trace?.type === "bar" ? "■" : lines && !symbol ? bare : lines ? `─${symbol}─` : symbol;
    mark.style.color = trace?.marker?.color ?? trace?.line?.color ?? "";
  }

  /** What the pointer reads, as a table for everyone else; it is made when it is opened. */
  function numbers(/** @type {HTMLElement} */ place, /** @type {Trace[]} */ data, /** @type {any} */ layout) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "Numbers of this plot";
    details.append(summary);
    details.className = "numbers";
    const plain = (/** @type {string} */ html) =>
      new DOMParser().parseFromString(html, "text/html").body.innerText;
    details.addEventListener("toggle", () => {
      if (details.childElementCount > 1) return;
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      const bars = data.some((trace) => trace.type === "bar");
      const title = (/** @type {string} */ axis) => layout[axis].title?.text ?? "";
      const names = bars
        ? [place.getAttribute("aria-label") ?? ""]
        : [title("xaxis") || "x", title("yaxis") || "y"];
      for (const name of ["series", "point", ...names, "interval"]) {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.textContent = plain(name.replaceAll("<br>", " "));
        head.append(cell);
      }
      const body = table.createTBody();
      for (const trace of data) {
        if (!trace.customdata) continue; // bands, labels, lines of reference
        trace.x.forEach((x, k) => {
          const row = body.insertRow();
          const [point, interval] = (trace.customdata ?? [])[k];
          const y = trace.y[k];
          for (const value of bars ? [trace.name, y, x, interval] : [trace.name, point, x, y, interval]) {
            row.insertCell().textContent =
              typeof value === "number" ? String(Number(value.toPrecision(4))) : plain(value ?? "–");
          }
        });
      }
      const box = document.createElement("div");
      box.className = "scroll";
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", `Numbers: ${place.getAttribute("aria-label")}`);
      box.append(table);
      details.append(box);
    });
    return details;
  }

  const places = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-plot]")]);
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        draw(/** @type {HTMLElement} */ (target));
      }
    },
    { rootMargin: NEAR },
  );
  for (const place of places) observer.observe(place);
  addEventListener("beforeprint", () => {
    for (const place of places) if (!hidden.has(place)) draw(place);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["style"] });
})();
