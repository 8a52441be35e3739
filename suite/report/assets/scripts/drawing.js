// What the figures of the results are drawn with: frames, readable logarithmic axes, marks.

const GREY = "#888888";

function frameOf(xTitle, yTitle = "", height = 300) {
  const axis = (title) => ({ title: { text: title, standoff: 8 }, automargin: true, zeroline: false });
  return {
    height, showlegend: false, hovermode: "closest", margin: { l: 10, r: 14, t: 10, b: 10 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: axis(xTitle), yaxis: axis(yTitle), shapes: [],
  };
}

// A logarithmic axis with 1, 2 and 5 of each power of ten, as numbers that can be read.
function logarithmic(axis, values) {
  const known = values.filter((value) => value > 0);
  const low = Math.min(...known) / 1.15, high = Math.max(...known) * 1.15;
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) powers.push(10 ** power);
  const steps = powers.length > 4 ? [1] : powers.length > 2 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks = powers.flatMap((power) => steps.map((step) => step * power)).filter((tick) => tick >= low && tick <= high);
  Object.assign(axis, { type: "log", range: [Math.log10(low), Math.log10(high)], tickvals: ticks, ticktext: ticks.map((tick) => String(Number(tick.toPrecision(2)))) });
}

function markerOf(cell, size = 10) {
  return { color: cell.colour, symbol: cell.symbol, size, line: { width: cell.symbol.endsWith("open") ? 2 : 0, color: cell.colour } };
}

// Whiskers of [value, low, high]; of none where an interval is missing.
function whiskers(values) {
  return {
    type: "data", symmetric: false, thickness: 2, width: 4,
    array: values.map(([value, , high]) => (high ?? value) - value),
    arrayminus: values.map(([value, low]) => value - (low ?? value)),
  };
}

function rule(layout, x, shape = {}) {
  layout.shapes.push({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "y domain", line: { width: 1, dash: "dot", color: GREY }, ...shape });
}

function settingOf(group) {
  return `${label(group.task)}<br>${label(results.setting ? group.short : group.setting)}`;
}

// A row per comparison and a mark per cell. points: [{row: {cell}, at: [value, low, high]}].
function dotPlot(points, xTitle, told) {
  const groups = unique(points.map(({ cell }) => cell.group));
  const layout = frameOf(xTitle, "", 70 + 46 * groups.length);
  Object.assign(layout.yaxis, {
    tickvals: groups.map((_, place) => place), ticktext: groups.map((group) => settingOf(results.groups[group])),
    range: [groups.length - 0.5, -0.5],
  });
  const data = [...Map.groupBy(points, ({ cell }) => armOf(cell)).values()].map((ours) => ({
    type: "scatter", mode: "markers", marker: markerOf(ours[0].cell), hoverinfo: "text",
    x: ours.map(({ at }) => at[0]),
    y: ours.map((point) => {
      const beside = points.filter(({ cell }) => cell.group === point.cell.group);
      return groups.indexOf(point.cell.group) + (beside.indexOf(point) - (beside.length - 1) / 2) * Math.min(0.22, 0.7 / beside.length);
    }),
    error_x: whiskers(ours.map(({ at }) => at)),
    hovertext: ours.map((point) => `${label(armOf(point.cell))}: ${told(point)}`),
  }));
  return { data, layout };
}

// Empties a place and fills it with figures; each is drawn when it comes into view.
function placeFigures(holder, figures, empty) {
  for (const old of holder.querySelectorAll(".plot[data-drawn]")) Plotly.purge(old);
  holder.replaceChildren(...figures.map(figureOf));
  if (!figures.length) holder.append(make("p", { class: "empty" }, empty));
}

// {name, title, caption, data, layout, heads, rows} as an element.
function figureOf({ name, title, caption, data, layout, heads, rows }) {
  const plot = make("div", { class: "plot", role: "img", "data-figure": name, style: `min-height: ${layout.height}px`,
    "aria-label": `${title}; the table below has its numbers` });
  const figure = make("figure", { class: "panel" },
    make("figcaption", {}, make("h3", {}, title), make("p", {}, caption)), plot,
    make("div", { class: "under" }, make("details", {}, make("summary", {}, "Table"), plainTable(heads, rows, `Data of ${title}`)),
      make("span", { class: "takeaway" })));
  GRAPHS.set(plot, { data, layout });
  tend(figure);
  return figure;
}
