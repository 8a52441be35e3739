// One cell in depth, in a dialog: what was timed and beside what, where it ran, how to repeat it.

const dialog = document.getElementById("cell");

function pairs(told) {
  return make("dl", {}, Object.entries(told).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function part(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function cellFigure(cell) {
  const { blocks } = samplesOf(cell);
  const layout = frameOf("block, in time order of the comparison", "ms per step", 380);
  Object.assign(layout.yaxis, { domain: [0.36, 1], rangemode: "tozero" });
  layout.yaxis2 = { title: { text: "load", standoff: 8 }, domain: [0, 0.28], anchor: "x", automargin: true, zeroline: false, rangemode: "tozero" };
  layout.xaxis.anchor = "y2";
  for (const start of launchStarts([cell])) rule(layout, start);
  const medians = launchesOf(cell).filter(({ ms }) => ms !== null).map(({ launch, ms }) => {
    const own = blocks.at.filter((_, place) => blocks.launch[place] === launch);
    return { type: "scatter", mode: "lines", x: [own[0], own.at(-1)], y: [ms, ms], line: { color: cell.colour, width: 2 }, hoverinfo: "text", hovertext: `launch ${launch}: median ${number(ms)} ms` };
  });
  const loads = [["cpu", "CPU seconds per second", "#009E73", "circle"], ["steal", "steal", "#CC79A7", "square"], ["pressure", "pressure", "#56B4E9", "diamond"], ["work", "known work, ms", "#E69F00", "cross"]]
    .filter(([name]) => blocks[name].some((value) => value !== null))
    .map(([name, told, color, symbol]) => ({ type: "scatter", mode: "lines+markers", yaxis: "y2", x: blocks.at, y: blocks[name], marker: { size: 5, color, symbol }, line: { width: 1, color }, hovertemplate: `${told} %{y}`, hoverlabel: { namelength: 0 } }));
  return figureOf({
    name: "cell", title: "Samples in time order, and the load beside them", data: [...blockTraces([cell]), ...medians, ...loads], layout,
    caption: "Above: blocks, with each launch's median as a line. Below, as shares of the time: circles, the CPU seconds of the process; squares, what the host took away (steal); diamonds, when something waited for a core (pressure). Crosses, in milliseconds: work that is always the same, on all cores at once; where it takes longer, the cores were slower.",
    heads: ["launch", "blocks", "void", "median ms", "CPU s per s", "highest steal", "highest pressure", "most switches", "known work ms"],
    rows: launchesOf(cell).map((one) => [one.launch, one.blocks, one.void, one.ms, one.cpu, one.steal, one.pressure, one.switches, one.work]),
  });
}

function warmupFigure(cell) {
  const warm = samplesOf(cell).phases.filter(({ phase, ms }) => phase === "warmup" && ms.length);
  if (!warm.length) return null;
  const layout = frameOf("step", "ms", 220);
  layout.yaxis.rangemode = "tozero";
  const data = warm.map(({ launch, ms }) => ({ type: "scatter", mode: "lines+markers", x: ms.map((_, step) => step + 1), y: ms, marker: { size: 5, color: cell.colour }, line: { width: 1, color: cell.colour }, hovertemplate: `launch ${launch}, step %{x}: %{y} ms`, hoverlabel: { namelength: 0 } }));
  return figureOf({ name: "warmup", title: "Warm-up", caption: "Steps before the timing, a line per launch.", data, layout,
    heads: ["launch", "step", "ms"], rows: warm.flatMap(({ launch, ms }) => ms.map((value, step) => [launch, step + 1, value])) });
}

function blocksCsv(cell) {
  const { blocks } = samplesOf(cell);
  const columns = { launch: "launch", round: "round", steps: "steps", ms: "ms per step", cpu: "CPU seconds per second", steal: "steal", pressure: "pressure", switches: "involuntary switches", work: "known work ms", void: "void", disturbed: "disturbed" };
  const rows = [...blocks.at.keys()].map((place) => [...DIMENSIONS.map((name) => cell[name]), ...Object.keys(columns).map((name) => blocks[name][place])]);
  download(`tribench-${results.run}-${cell.id}.csv`, csv([...DIMENSIONS, ...Object.values(columns)], rows));
}

function cellParts(cell) {
  const { facts, phases, blocks } = samplesOf(cell);
  const known = results.metrics.filter((metric) => cell.values[metric.key]);
  const before = phases.filter(({ phase }) => phase !== "warmup").map(({ phase, launch, seconds, ms }) => [phase, launch, seconds, ms.length ? `${ms.length} samples, median ${number(median(ms))} ms` : ""]);
  const command = results.commands[cell.place];
  const repeat = make("button", { type: "button", click: () => copy(command, repeat) }, "Copy the command");
  return [
    make("p", {}, badge(cell.status), " ", cell.parity && make("span", {}, "parity ", badge(cell.parity), " "), cell.tier && `tier ${cell.tier}`),
    cell.reason && make("p", { class: "reason" }, cell.reason),
    known.length > 0 && part("Results", pairs(Object.fromEntries(known.map((metric) => [metric.name, `${valueText(cell.values[metric.key], metric, cell.launches)} ${metric.unit}`])))),
    blocks.at.length > 0 && cellFigure(cell), warmupFigure(cell),
    before.length > 0 && make("details", {}, make("summary", {}, "Before and beside the timing"), plainTable(["phase", "launch", "seconds", "samples"], before, "Before and beside the timing")),
    part("Repeat this cell", make("pre", { class: "panel", tabindex: "0", role: "region", "aria-label": "The command that repeats this cell" }, make("code", {}, command)), repeat, " ",
      blocks.at.length > 0 && make("button", { type: "button", click: () => blocksCsv(cell) }, "Raw samples as CSV")),
    Object.keys(facts).length > 0 && part("The path that was taken", pairs(facts)),
    part("Environment", pairs({ ...results.machine, ...results.backends[cell.backend.replace(/@aa$/, "")] })),
  ];
}

function closeCell() {
  go({ cell: "" });
}

function showCell(state) {
  const cell = results.cells.find(({ id }) => id === state.cell);
  if (!cell) {
    if (dialog.open) dialog.close();
    return;
  }
  if (dialog.open && dialog.dataset.cell === cell.id) return;
  dialog.dataset.cell = cell.id;
  document.getElementById("cell-title").replaceChildren(mark(cell), ` ${armOf(cell)} `, make("small", {}, `${cell.task}, ${results.groups[cell.group].setting}`));
  document.getElementById("cell-body").replaceChildren(...cellParts(cell).filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

dialog.querySelector("button").addEventListener("click", closeCell);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  closeCell();
});
dialog.addEventListener("click", (event) => event.target === dialog && closeCell());
dialog.addEventListener("close", () => [...cells.rows].find((row) => row.dataset.cell === dialog.dataset.cell)?.querySelector(".open").focus());
views.push(showCell);
