// The figures of the results. They show what the filters leave, of the tab that is looked at.

const MOST_NAMED = 4; // tasks that have room for their names in a figure
const CELL_HEADS = ["task", "phase", "batch", "arm"];
const cellTexts = (cell) => [cell.task, cell.phase, cell.batch, armOf(cell)];

function metricFigures(rows, metric, state) {
  const points = rows.filter(({ cell }) => cell.values[metric.key]).map((row) => ({ ...row, at: row.cell.values[metric.key] }));
  if (!points.length) return [];
  const absolute = dotPlot(points, `${metric.unit}, ${directionOf(metric)}`, ({ cell, at }) => `${valueText(at, metric, cell.launches)} ${metric.unit}`);
  const values = points.flatMap(({ at }) => at);
  if (!isAccuracy(metric) && values.every((value) => value > 0) && Math.max(...values) > 8 * Math.min(...values)) logarithmic(absolute.layout.xaxis, values);
  const found = [{
    name: `${metric.key}-absolute`, title: `${metric.name}`, caption: `${directionOf(metric)[0].toUpperCase()}${directionOf(metric).slice(1)}. Whiskers: 95 % intervals, where they determine anything.`,
    heads: [...CELL_HEADS, metric.unit, "low", "high"],
    rows: points.map(({ cell, at }) => [...cellTexts(cell), at[0], at[1] ?? MISSING, at[2] ?? MISSING]), ...absolute,
  }];
  const compared = points.filter(({ relative }) => relative)
    .map((point) => ({ ...point, at: [point.relative.value, point.relative.low ?? undefined, point.relative.high ?? undefined] }));
  if (!compared.length) return found;
  const accuracy = isAccuracy(metric), delta = accuracy ? metric.margin : results.delta;
  const plot = dotPlot(compared, accuracy ? `${metric.apart} more than the baseline` : `× the baseline${ofTimes(metric) ? "'s time" : ""}, lower is better`, ({ relative }) => relativeText(relative, metric));
  plot.layout.shapes.push({ type: "rect", layer: "below", x0: accuracy ? -delta : 1 - delta, x1: accuracy ? delta : 1 + delta, y0: 0, y1: 1, yref: "y domain", fillcolor: GREY, opacity: 0.2, line: { width: 0 } });
  rule(plot.layout, accuracy ? 0 : 1, { line: { width: 1.5, color: GREY } });
  if (!accuracy) logarithmic(plot.layout.xaxis, [1 / 1.1, 1.1, ...compared.flatMap(({ at }) => at.filter((each) => each > 0))]);
  found.push({
    name: `${metric.key}-relative`, title: `${ofTimes(metric) ? "Time against" : "Against"} ${state.base === BEST ? "the best of each comparison" : state.base}`,
    caption: accuracy ? `The band is ±${metric.margin} ${metric.apart}: an interval inside it means EQUIVALENT.` : `The band is 1 ± ${100 * delta} %: an interval inside it means EQUIVALENT.`,
    heads: [...CELL_HEADS, "baseline", "ratio", "low", "high", "verdict"],
    rows: compared.map(({ cell, base, at, relative }) => [...cellTexts(cell), armOf(base), at[0], at[1] ?? MISSING, at[2] ?? MISSING, relative.verdict ?? "none"]), ...plot,
  });
  return found;
}

// A point per cell on two metrics; those that no other of their comparison beats in both are joined.
function tradeOff(rows, across, up) {
  const points = rows.map(({ cell }) => ({ cell, x: cell.values[across.key], y: cell.values[up.key] })).filter(({ x, y }) => x && y && !(x[0] <= 0));
  if (points.length < 2) return null;
  const layout = frameOf(`${across.unit} (${across.name.toLowerCase()}), ${directionOf(across)}`, `${up.unit} (${up.name.toLowerCase()}), ${directionOf(up)}`, 400);
  logarithmic(layout.xaxis, points.map(({ x }) => x[0]));
  if (!isAccuracy(up) && points.every(({ y }) => y[0] > 0)) logarithmic(layout.yaxis, points.map(({ y }) => y[0]));
  const sign = up.better === "higher" ? 1 : -1;
  const data = [], labelled = new Set(), tasks = unique(points.map(({ cell }) => cell.task));
  for (const ours of Map.groupBy(points, ({ cell }) => cell.group).values()) {
    const byX = [...ours].filter(({ cell }) => !cell.twin).sort((one, two) => one.x[0] - two.x[0]);
    let best = -Infinity;
    const front = byX.filter(({ y }) => sign * y[0] > best && ((best = sign * y[0]), true));
    data.push({ type: "scatter", mode: "lines", line: { color: GREY, width: 1, dash: "dot" }, hoverinfo: "skip", x: front.map(({ x }) => x[0]), y: front.map(({ y }) => y[0]) });
    const { task } = ours[0].cell;
    if (tasks.length <= MOST_NAMED && !labelled.has(task) && front.length) {
      labelled.add(task);
      data.push({ type: "scatter", mode: "text", text: [label(task)], textposition: "top right", textfont: { size: 11 }, hoverinfo: "skip", x: [front[0].x[0]], y: [front[0].y[0]] });
    }
  }
  for (const ours of Map.groupBy(points, ({ cell }) => armOf(cell)).values()) {
    data.push({
      type: "scatter", mode: "markers", marker: markerOf(ours[0].cell), hoverinfo: "text", x: ours.map(({ x }) => x[0]), y: ours.map(({ y }) => y[0]),
      hovertext: ours.map(({ cell, x, y }) => `${label(armOf(cell))}, ${label(cell.task)} ${label(results.groups[cell.group].short)}<br>${number(x[0])} ${across.unit}, ${number(y[0])} ${up.unit}`),
    });
  }
  return {
    name: `${across.key}-${up.key}`, title: `${across.name} × ${up.name.toLowerCase()}`,
    caption: `A dotted line joins what nothing else of its comparison beats in both.${tasks.length > MOST_NAMED ? " Choose a task to see it alone." : ""}`, data, layout,
    heads: [...CELL_HEADS, `${across.name}, ${across.unit}`, `${up.name}, ${up.unit}`], rows: points.map(({ cell, x, y }) => [...cellTexts(cell), x[0], y[0]]),
  };
}

function tradeOffs(rows, metric) {
  const memory = metric.key in { live: 1, reserved: 1, planned: 1, device: 1 } ? metric : metricNamed("process");
  const pairs = [["step", memory?.key], ["step", "accuracy"], [memory?.key, "accuracy"]];
  return pairs.map((keys) => keys.map((key) => key && metricNamed(key))).filter((pair) => pair.every(Boolean))
    .map(([across, up]) => tradeOff(rows, across, up)).filter(Boolean);
}

// How the metric goes with the batch: a figure for each task and phase that has several.
function scaling(rows, metric) {
  const known = rows.filter(({ cell }) => cell.values[metric.key]?.[0] > 0);
  const found = [];
  for (const ours of Map.groupBy(known, ({ cell }) => [cell.task, cell.phase, cell.precision, cell.device].join()).values()) {
    const batches = unique(ours.map(({ cell }) => cell.batch)).sort((one, two) => one - two);
    if (batches.length < 2) continue;
    const { task, phase } = ours[0].cell;
    const layout = frameOf("batch size", metric.unit, 280);
    logarithmic(layout.yaxis, ours.flatMap(({ cell }) => cell.values[metric.key]));
    logarithmic(layout.xaxis, batches);
    Object.assign(layout.xaxis, { tickvals: batches, ticktext: batches.map(String) });
    const data = [...Map.groupBy(ours, ({ cell }) => armOf(cell)).values()].map((line) => {
      line.sort((one, two) => one.cell.batch - two.cell.batch);
      const values = line.map(({ cell }) => cell.values[metric.key]);
      const [{ cell }] = line;
      return {
        type: "scatter", mode: "lines+markers", marker: markerOf(cell, 8), line: { color: cell.colour, dash: cell.dash, width: 1.8 }, error_y: whiskers(values), hoverinfo: "text",
        x: line.map((row) => row.cell.batch), y: values.map(([value]) => value), hovertext: line.map((row) => `${label(armOf(row.cell))}, batch ${row.cell.batch}: ${valueText(row.cell.values[metric.key], metric, row.cell.launches)} ${metric.unit}`),
      };
    });
    found.push({ name: `scaling-${found.length}`, title: `${task} ${phase}`, caption: `${metric.name} by batch size, both axes logarithmic.`, data, layout,
      heads: [...CELL_HEADS, metric.unit], rows: ours.map(({ cell }) => [...cellTexts(cell), cell.values[metric.key][0]]) });
  }
  return found;
}

function legend(rows) {
  return unique(rows.map(({ cell }) => armOf(cell))).map((arm) => {
    const { cell } = rows.find((row) => armOf(row.cell) === arm);
    return make("li", {}, mark(cell), ` ${arm}`);
  });
}

// Of a figure that came with the page: its task is chosen, and its arms' traces are.
function sift(figure, state) {
  const { task, arms } = figure.dataset;
  figure.hidden = !chosen(figure.dataset, state);
  const holder = figure.querySelector(".plot");
  const seen = JSON.parse(arms).map((arm) => !arm || ["backend", "execution"].every((name, place) => state[name] === "all" || state[name] === arm[place]));
  if (holder.dataset.drawn) Plotly.restyle(holder, { visible: seen });
  else holder.dataset.seen = JSON.stringify(seen);
}

const CHARTS = { // tab: its places for figures, what they hold, and what to say where that is nothing
  figures: { metric: [metricFigures, "No cell that is shown has this metric."],
    tradeoffs: [tradeOffs, "Not measured here, or filtered out."],
    scaling: [scaling, "No task that is shown has several batch sizes; --batch-size 16,256 measures two."] },
  noise: { twins: [twinFigures, "No A/A arm is shown; tribench run --aa torch measures one."],
    launches: [launchFigures, "No cell that is shown was timed."],
    blocks: [blockFigures, "No cell that is shown was timed."] },
};

function showCharts(state, shown = [state.tab]) {
  const metric = metricNamed(state.metric);
  const rows = rowsFor(state);
  for (const tab of shown.filter((name) => name in CHARTS)) {
    for (const [place, [build, empty]] of Object.entries(CHARTS[tab])) placeFigures(document.getElementById(place), build(rows, metric, state), empty);
    document.querySelector(`#${tab} .legend`).replaceChildren(...legend(rows));
  }
  for (const figure of document.querySelectorAll("figure[data-arms]")) sift(figure, state);
}

views.push(showCharts);
addEventListener("beforeprint", () => {
  showCharts(state, Object.keys(CHARTS));
  document.querySelectorAll(".plot").forEach(draw);
});
