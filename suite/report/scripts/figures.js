// Figures are drawn when they come into view, in the page's colours.

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
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
  for (const name of ["xaxis", "yaxis"]) {
    for (const [key, value] of Object.entries(axis)) change[`${name}.${key}`] = value;
  }
  return change;
}

function withTheme(layout) {
  for (const [path, value] of Object.entries(theme())) {
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

function draw(holder) {
  if (holder.dataset.drawn) return;
  holder.dataset.drawn = "yes";
  const { data, layout } = JSON.parse(document.getElementById(holder.dataset.figure).textContent);
  const options = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: holder.dataset.figure.replace("data-", "tribench-") },
  };
  Plotly.newPlot(holder, data, withTheme(layout), options);
}

const holders = [...document.querySelectorAll(".plot")];
const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  },
  { rootMargin: "300px" },
);
for (const holder of holders) inView.observe(holder);

for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", () => {
    for (const holder of holders) if (holder.dataset.drawn) Plotly.relayout(holder, theme());
  });
}
addEventListener("beforeprint", () => holders.forEach(draw));
