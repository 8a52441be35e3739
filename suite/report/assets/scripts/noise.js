// What the machine does to the numbers: identical code beside itself, launches, every block.

let samplesParsed = null;

// What was timed, by cell; parsed when it is first asked for, because it is most of the page.
function samplesOf(cell) {
  samplesParsed ??= JSON.parse(document.getElementById("data-samples").textContent);
  return samplesParsed[cell.place];
}

function twinFigures(rows) {
  const step = metricNamed("step") ?? results.metrics[0];
  const points = rows.filter(({ cell }) => cell.twin).flatMap(({ cell }) => {
    const doubled = results.cells.find((other) => other.group === cell.group && armOf(other) === armOf(cell).replace("@aa ", " "));
    const relative = doubled && relativeTo(doubled, cell, step);
    return relative ? [{ cell, relative, at: [relative.value, relative.low ?? undefined, relative.high ?? undefined] }] : [];
  });
  if (!points.length) return [];
  const plot = dotPlot(points, "time of the twin / time of the arm that it doubles", ({ relative }) => relativeText(relative, step));
  plot.layout.shapes.push({ type: "rect", layer: "below", x0: 1 - results.delta, x1: 1 + results.delta, y0: 0, y1: 1, yref: "y domain", fillcolor: GREY, opacity: 0.2, line: { width: 0 } });
  rule(plot.layout, 1, { line: { width: 1.5, color: GREY } });
  return [{
    name: "twins", title: "A/A: identical code beside itself", caption: "What they differ by is noise, and nothing smaller gets a verdict. The band is 1 ± δ.", ...plot,
    heads: [...CELL_HEADS, "ratio", "low", "high", "verdict"], rows: points.map(({ cell, at, relative }) => [...cellTexts(cell), ...at.map((each) => each ?? MISSING), relative.verdict ?? "none"]),
  }];
}

// The counted blocks of a cell by launch: [{launch, ms, void, cpu, steal, pressure, switches, work}].
function launchesOf(cell) {
  const { blocks } = samplesOf(cell);
  const by = Map.groupBy(blocks.at.keys(), (place) => blocks.launch[place]);
  return [...by].map(([launch, places]) => {
    const counted = places.filter((place) => !blocks.void[place]);
    const known = (name) => places.map((place) => blocks[name][place]).filter((value) => value !== null);
    const most = (name) => (known(name).length ? Math.max(...known(name)) : null);
    return {
      launch, blocks: places.length, void: places.length - counted.length,
      ms: counted.length ? median(counted.map((place) => blocks.ms[place])) : null,
      ...Object.fromEntries(["cpu", "work"].map((name) => [name, known(name).length ? median(known(name)) : null])),
      steal: most("steal"), pressure: most("pressure"), switches: most("switches"),
    };
  });
}

function launchFigures(rows) {
  const lines = rows.map(({ cell }) => ({ cell, launches: launchesOf(cell).filter(({ ms }) => ms !== null) })).filter(({ launches }) => launches.length);
  if (!lines.length) return [];
  const spread = frameOf("launch", "% from the cell's median", 320), load = frameOf("launch", "% of the time", 320);
  for (const layout of [spread, load]) Object.assign(layout.xaxis, { dtick: 1 });
  const width = 0.5 / lines.length;
  const aside = (place) => (place - (lines.length - 1) / 2) * width;
  const spreads = lines.map(({ cell, launches }, place) => {
    const middle = median(launches.map(({ ms }) => ms));
    return {
      type: "scatter", mode: "markers", marker: markerOf(cell, 7), hoverinfo: "text", x: launches.map(({ launch }) => launch + aside(place)), y: launches.map(({ ms }) => 100 * (ms / middle - 1)),
      hovertext: launches.map(({ launch, ms }) => `${label(cell.task)} ${label(cell.phase)} ×${cell.batch} ${label(armOf(cell))}, launch ${launch}: ${number(ms)} ms`),
    };
  });
  const loads = [["steal", "square"], ["pressure", "circle"]].map(([name, symbol], number_) => {
    const points = lines.flatMap(({ cell, launches }, place) => launches.filter((one) => one[name] !== null).map((one) => ({ cell, place, one })));
    return {
      type: "scatter", mode: "markers", marker: { symbol, size: 6, color: ["#CC79A7", "#56B4E9"][number_] }, hoverinfo: "text", x: points.map(({ place, one }) => one.launch + aside(place)), y: points.map(({ one }) => 100 * one[name]),
      hovertext: points.map(({ cell, one }) => `${name} ${number(100 * one[name])} %: ${label(cell.task)} ${label(cell.phase)} ×${cell.batch} ${label(armOf(cell))}, launch ${one.launch}`),
    };
  });
  const heads = [...CELL_HEADS, "launch", "median ms", "blocks", "void", "CPU s per s", "highest steal", "highest pressure", "most switches", "known work ms"];
  const table = lines.flatMap(({ cell, launches }) => launches.map((one) => [...cellTexts(cell), one.launch, one.ms, one.blocks, one.void, one.cpu, one.steal, one.pressure, one.switches, one.work]));
  return [
    { name: "launches", title: "Between launches", caption: "Each cell's launch medians, as they lie around its median: the scatter that the intervals are made of.", data: spreads, layout: spread, heads, rows: table },
    { name: "load", title: "What else the machine did", caption: "The block of each launch with most: squares, time that the host took away (steal); circles, time in which something waited for a core (pressure).", data: loads, layout: load, heads, rows: table },
  ].filter(({ data }) => data.some(({ x }) => x.length));
}

// The traces of cells' blocks in time order; void ones are crosses at the bottom.
function blockTraces(cells) {
  return cells.flatMap((cell) => {
    const { blocks } = samplesOf(cell);
    return [false, true].map((voided) => {
      const places = [...blocks.at.keys()].filter((place) => Boolean(blocks.void[place]) === voided);
      const pick = (name) => places.map((place) => blocks[name][place]);
      const look = markerOf(cell, 6);
      return {
        type: "scatter", mode: "markers", x: pick("at"), y: voided ? places.map(() => 0) : pick("ms"), marker: voided ? { ...look, symbol: "x-thin-open" } : look,
        customdata: places.map((place) => [blocks.launch[place], blocks.round[place]]), text: pick("void").map((why) => label(why ?? "")), hoverlabel: { namelength: 0 },
        hovertemplate: `${label(armOf(cell))}${voided ? ", void: %{text}" : ": %{y} ms"}, launch %{customdata[0]}, round %{customdata[1]}`,
      };
    }).filter(({ x }) => x.length);
  });
}

// Where, in time order, another launch begins.
function launchStarts(cells) {
  const first = new Map();
  for (const cell of cells) {
    const { blocks } = samplesOf(cell);
    blocks.at.forEach((at, place) => first.set(blocks.launch[place], Math.min(at, first.get(blocks.launch[place]) ?? Infinity)));
  }
  return [...first.values()].sort((one, two) => one - two).slice(1).map((at) => at - 0.5);
}

function blockFigures(rows) {
  const found = [];
  for (const [place, ours] of Map.groupBy(rows, ({ cell }) => cell.group)) {
    const timed = ours.map(({ cell }) => cell).filter((cell) => samplesOf(cell).blocks.at.length);
    if (!timed.length) continue;
    const group = results.groups[place], layout = frameOf("block, in time order", "ms per step", 260);
    layout.yaxis.rangemode = "tozero";
    for (const start of launchStarts(timed)) rule(layout, start);
    found.push({
      name: `blocks-${place}`, title: `${group.task} ${results.setting ? group.short : group.setting}`, data: blockTraces(timed), layout,
      caption: "A mark is a block of steps; dotted lines part the launches, crosses at the bottom do not count.",
      heads: ["arm", "launch", "blocks", "void", "median ms"], rows: timed.flatMap((cell) => launchesOf(cell).map((one) => [armOf(cell), one.launch, one.blocks, one.void, one.ms])),
    });
  }
  return found;
}
