// Figures are drawn when they come into view, in the page's colours, and leave as SVG and CSV.

const GRAPHS = new WeakMap(); // a figure's holder: its traces and layout, where they are no JSON

function theme(layout) {
  const probe = document.createElement("i");
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), tickcolor: colour("--line") };
  const change = {
    "font.color": colour("--ink"),
    "font.family": getComputedStyle(document.body).fontFamily,
    "hoverlabel.bgcolor": colour("--panel"),
    "hoverlabel.font.color": colour("--ink"),
    "hoverlabel.bordercolor": colour("--soft"),
    "modebar.color": colour("--soft"),
    "modebar.activecolor": colour("--ink"),
    "modebar.bgcolor": "rgba(0,0,0,0)",
  };
  for (const name of ["xaxis", "yaxis", "yaxis2"].filter((name) => name in layout)) {
    for (const [key, value] of Object.entries(axis)) change[`${name}.${key}`] = value;
  }
  probe.remove();
  return change;
}

function withTheme(layout) {
  for (const [path, value] of Object.entries(theme(layout))) {
    const keys = path.split(".");
    const last = keys.pop();
    let place = layout;
    for (const key of keys) place = place[key] ??= {};
    place[last] = value;
  }
  // A finger that scrolls past a figure must not zoom it.
  if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
  return layout;
}

// plotly's script is most of a page, which is sooner there if it waits for the first figure.
function bringPlotly() {
  if ("Plotly" in window) return;
  const script = document.createElement("script");
  script.textContent = document.getElementById("plotly").textContent;
  document.head.append(script);
}

function draw(holder) {
  if (holder.dataset.drawn) return;
  holder.dataset.drawn = "yes";
  const { data, layout } = GRAPHS.get(holder) ?? JSON.parse(document.getElementById(holder.dataset.figure).textContent);
  if (holder.dataset.seen) JSON.parse(holder.dataset.seen).forEach((seen, place) => (data[place].visible = seen));
  const options = { displaylogo: false, responsive: true, displayModeBar: false };
  bringPlotly();
  Plotly.newPlot(holder, data, withTheme(layout), options);
}

function drawnHolders() {
  return document.querySelectorAll(".plot[data-drawn]");
}

const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  },
  { rootMargin: "300px" },
);

// The buttons under a figure, and its drawing once it is seen.
function tend(figure) {
  const holder = figure.querySelector(".plot");
  const table = figure.querySelector("table");
  const name = `tribench-${holder.dataset.figure.replace("data-", "")}`;
  const save = async () => {
    draw(holder);
    const image = await Plotly.toImage(holder, { format: "svg" });
    download(`${name}.svg`, decodeURIComponent(image.replace(/^data:image\/svg\+xml,/, "")), "image/svg+xml");
  };
  const take = () => {
    const [heads, ...rows] = [...table.rows].map((row) => [...row.cells].map((cell) =>
      "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent));
    download(`${name}.csv`, csv(heads, rows));
  };
  const title = figure.querySelector("h3, h4").textContent;
  figure.querySelector(".takeaway").append(
    make("button", { type: "button", "aria-label": `SVG of ${title}`, click: save }, "SVG"),
    make("button", { type: "button", "aria-label": `CSV of ${title}`, click: take }, "CSV"),
  );
  inView.observe(holder);
}

document.querySelectorAll("figure").forEach(tend);

for (const [target, event] of [[matchMedia("(prefers-color-scheme: dark)"), "change"], [matchMedia("print"), "change"], [window, "themechange"]]) {
  target.addEventListener(event, () => drawnHolders().forEach((holder) => Plotly.relayout(holder, theme(holder.layout))));
}
addEventListener("beforeprint", () => document.querySelectorAll(".plot").forEach(draw));
