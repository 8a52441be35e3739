// Trends over runs: a figure per phase and batch size, a line per backend and execution. Only points
// that can be compared are joined: a line ends where the machine, the model or its data changed.

const { runs, files, machines, measured, styles, band } = JSON.parse(document.getElementById("data").textContent);
const [RUN, CELL, WORK, STEP, LOW, HIGH, COMPILE, BYTES, SCORE] = Array(9).keys();
const BAND = `The band is ± ${+(100 * band).toFixed(1)} % around the median of a stretch: two runs without any change may differ by so much.`;

// value, low and high of a point; what is better.
const METRICS = {
  time: { title: "ms per step", better: "lower", of: (p) => [STEP, LOW, HIGH].map((at) => 1000 * p[at]), told: BAND },
  rate: { title: "samples/s", better: "higher", of: (p, cell) => [STEP, HIGH, LOW].map((at) => cell.batch_size / p[at]), told: BAND },
  memory: { title: "MiB, the process's peak", better: "lower", of: (p) => [p[BYTES] === null ? null : p[BYTES] / 2 ** 20], told: BAND },
  compile: { title: "s to compile", better: "lower", of: (p) => [p[COMPILE]], told: BAND },
};

// What the trainings of a task are compared by.
function scoreOf(score) {
  return {
    title: score?.title ?? "score", better: score?.better ?? "higher", absolute: score?.margin ?? 1,
    of: (p) => [score === null || p[SCORE] === null ? null : score.scale * p[SCORE]],
    told: score === null ? "No run has trainings of this task." :
      `The band is ± ${+score.margin.toPrecision(3)} ${score.apart} around the median of a stretch, the margin within which trainings are equivalent.`,
  };
}
const control = (name) => controls.find((each) => each.dataset.state === name);
const area = document.getElementById("figures");

// What two runs' software differ by, each once.
function changesBetween(before, after) {
  const found = new Set();
  const add = (name, a, b) => a !== b && found.add(`${name} ${a ?? "not there"} → ${b ?? "not there"}`);
  for (const backend of Object.keys(after.versions)) {
    const [mine, theirs] = [before.versions[backend] ?? {}, after.versions[backend]];
    if (backend in before.versions) for (const name of Object.keys({ ...mine, ...theirs })) add(name, mine[name], theirs[name]);
  }
  add("system", before.system, after.system);
  return [...found];
}

// The runs that are shown, oldest first, and where something changed: {run, number, texts, hard}.
function changesOf(points) {
  const works = new Map(points.map((point) => [point[RUN], point[WORK]]));
  const shown = [...works.keys()].sort((a, b) => a - b);
  const found = new Map();
  for (let i = 1; i < shown.length; i++) {
    const [before, after] = [runs[shown[i - 1]], runs[shown[i]]];
    const texts = changesBetween(before, after);
    const hard = [];
    if (before.machine !== after.machine) hard.push(`another machine: ${machines[after.machine]}`);
    if (works.get(shown[i - 1]) !== works.get(shown[i])) hard.push("another model, recipe or data");
    if (texts.length || hard.length) found.set(shown[i], { number: found.size + 1, texts: [...hard, ...texts], hard: hard.length > 0 });
  }
  return found;
}

// Points in time order, cut where they cannot be compared.
function stretches(points) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1)?.at(-1);
    const joined = last && last[WORK] === point[WORK] && runs[last[RUN]].machine === runs[point[RUN]].machine;
    if (joined) found.at(-1).push(point);
    else found.push([point]);
  }
  return found;
}

function limits(middle, metric) {
  return metric.absolute ? [middle - metric.absolute, middle + metric.absolute] : [middle / (1 + band), middle * (1 + band)];
}

// A line with its bands, and rows of the table behind the figure.
function lineOf(arm, cell, points, metric, changes) {
  const style = styles[arm];
  const line = { x: [], y: [], text: [], name: arm, mode: "lines+markers", type: "scatter", connectgaps: false,
    line: { color: style.colour, dash: style.dash, width: 2 }, marker: { color: style.colour, symbol: style.symbol, size: 7 },
    error_y: { type: "data", symmetric: false, array: [], arrayminus: [], color: style.colour, thickness: 1, width: 2 },
    hovertemplate: "%{text}<extra></extra>" };
  const filled = [];
  const rows = [];
  for (const stretch of stretches(points)) {
    const [least, most] = limits(median(stretch.map((point) => metric.of(point, cell)[0])), metric);
    const times = stretch.map((point) => runs[point[RUN]].created);
    if (line.x.length) for (const part of [line.x, line.y, line.text, line.error_y.array, line.error_y.arrayminus]) part.push(null);
    if (stretch.length > 1) {
      filled.push({ x: [times[0], times.at(-1), times.at(-1), times[0]], y: [least, least, most, most], type: "scatter", mode: "none",
        fill: "toself", fillcolor: `${style.colour}18`, hoverinfo: "skip", showlegend: false });
    }
    for (const point of stretch) {
      const run = runs[point[RUN]];
      const [value, low = value, high = value] = metric.of(point, cell);
      const where = value > most ? "above" : value < least ? "below" : "inside";
      const interval = low === high ? "" : `${number(low)} to ${number(high)}`;
      line.x.push(run.created);
      line.y.push(value);
      line.text.push(plain(`${arm}: ${number(value)} ${metric.title}, ${run.name}`));
      line.error_y.array.push(high - value);
      line.error_y.arrayminus.push(value - low);
      rows.push({ run, arm, value: number(value), interval, where, changed: changes.get(point[RUN])?.texts.join("; ") ?? "" });
    }
  }
  return { traces: [...filled, line], rows };
}

// Plotly takes some markup in texts.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function figureOf(title, lines, metric, changes) {
  const traces = lines.flatMap((each) => each.traces);
  const marks = [...changes].map(([run, { number, hard }]) => ({ x: runs[run].created, number, hard }));
  const layout = {
    height: 380, margin: { l: 60, r: 15, t: 25, b: 90 }, hovermode: "closest", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: true, legend: { orientation: "h", y: -0.22 }, xaxis: { type: "date", range: daysOf(lines) },
    yaxis: { title: { text: metric.title }, automargin: true, type: metric.absolute ? "linear" : "log" },
    shapes: marks.map(({ x, hard }) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { dash: hard ? "solid" : "dot", width: 1, color: "#888888" } })),
    annotations: marks.map(({ x, number }) => ({ x, y: 1, yref: "paper", yanchor: "bottom", text: String(number), showarrow: false })),
  };
  const told = `${title}; the table below has its numbers`;
  const plot = make("div", { class: "plot", role: "img", "aria-label": told, "data-figure": `data-history-${title}`, style: "min-height: 380px" });
  GRAPHS.set(plot, { data: traces, layout });
  const rows = lines.flatMap((each) => each.rows).sort((a, b) => (a.run.created < b.run.created ? 1 : -1));
  return make("figure", { class: "panel" }, make("figcaption", {}, make("h3", {}, title)), plot,
    make("div", { class: "under" }, make("details", {}, make("summary", {}, "Table"), tableOf(title, rows, metric)), make("span", { class: "takeaway" })));
}

// A day more to each side: a single run has no span of its own.
function daysOf(lines) {
  const times = lines.flatMap((each) => each.rows).map(({ run }) => Date.parse(run.created));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const margin = Math.max(864e5, 0.03 * (to - from));
  return [from - margin, to + margin].map((time) => new Date(time).toISOString());
}

function tableOf(title, rows, metric) {
  const heads = ["date", "run", "backend", metric.title, "95 % interval", "band", "changed since the run before"];
  const lines = rows.map(({ run, arm, value, interval, where, changed }) =>
    make("tr", {}, make("td", {}, run.created.slice(0, 16).replace("T", " ")),
      make("td", {}, make("a", { href: `${run.id}/index.html` }, run.name)), make("th", { scope: "row" }, arm),
      make("td", { class: "number" }, value), make("td", {}, interval),
      make("td", { class: where === "inside" ? "" : "why" }, where), make("td", { class: "reason" }, changed)));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...lines));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Data of ${title}` }, table);
}

function show({ cells, points, score }) {
  const [machine, phase, arm] = ["machine", "phase", "arm"].map((name) => control(name).value);
  const metric = METRICS[control("metric").value] ?? scoreOf(score);
  const wanted = points.filter((point) => {
    const cell = cells[point[CELL]];
    return (machine === "all" || runs[point[RUN]].machine === Number(machine)) && (!phase || cell.phase === phase) &&
      (!arm || armOf(cell) === arm) && metric.of(point, cell)[0] !== null;
  });
  const changes = changesOf(wanted);
  document.getElementById("told").textContent = `${metric.title}, ${metric.better} is better. ${metric.told} A line is interrupted where machine, model or data changed.`;
  document.getElementById("changes").hidden = !changes.size;
  document.getElementById("changed").replaceChildren(
    ...[...changes].map(([run, { texts }]) => make("li", {}, `${runs[run].created.slice(0, 10)} ${runs[run].name}: ${texts.join("; ")}`)),
  );
  const groups = grouped(wanted, groupOf);
  function groupOf(point) {
    const cell = cells[point[CELL]];
    return `${cell.phase}, batch ${cell.batch_size}, ${cell.precision}, ${cell.device}`;
  }
  const figures = [...groups].map(([title, inside]) => {
    const arms = grouped(inside, (point) => point[CELL]);
    const lines = [...arms].map(([number, own]) => lineOf(armOf(cells[number]), cells[number], own, metric, changes));
    return figureOf(title, lines, metric, changes);
  });
  area.replaceChildren(...figures);
  document.getElementById("nothing").hidden = figures.length > 0;
  figures.forEach(tend);
}

function armOf(cell) {
  return `${cell.backend} ${cell.execution}`;
}

function grouped(values, keyOf) {
  const found = new Map();
  for (const value of values) {
    const key = keyOf(value);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(value);
  }
  return found;
}

// Only what was measured together can be chosen. Of the two, what the address tells stays.
function offer() {
  const [machine, task] = ["machine", "task"].map(control);
  const has = (number, name) => number === "all" || measured[name]?.includes(Number(number));
  const usable = (select, able) => {
    for (const option of select.options) option.disabled = !able(option.value);
    if (select.selectedOptions[0]?.disabled) select.value = [...select.options].find((option) => !option.disabled)?.value ?? "";
  };
  if (told("task") && !told("machine") && task.value) usable(machine, (number) => has(number, task.value));
  for (const option of machine.options) option.disabled = false;
  usable(task, (name) => has(machine.value, name));
}

async function readAddress() {
  readControls();
  offer();
  const message = document.getElementById("message");
  const task = control("task").value;
  message.textContent = "";
  if (!task) return;
  try {
    const found = await load(files[task]);
    const here = found.points.filter((point) => control("machine").value === "all" || runs[point[RUN]].machine === Number(control("machine").value));
    const cells = [...new Set(here.map((point) => point[CELL]))].map((number) => found.cells[number]);
    const select = control("arm");
    const arms = [...new Set(cells.map(armOf))].sort();
    select.replaceChildren(select.options[0], ...arms.map((value) => make("option", { value }, value)));
    if (arms.includes(told("arm"))) select.value = told("arm");
    for (const option of control("phase").options) option.disabled = option.value !== "" && !cells.some((cell) => cell.phase === option.value);
    for (const option of control("metric").options) {
      const metric = METRICS[option.value] ?? scoreOf(found.score);
      option.disabled = !here.some((point) => (metric.of(point, found.cells[point[CELL]])[0] ?? null) !== null);
    }
    show(found);
  } catch (error) {
    message.textContent = error.message;
  }
}

for (const each of controls) {
  each.addEventListener("input", () => {
    writeControls();
    readAddress();
  });
}
addEventListener("hashchange", readAddress);
readAddress();
