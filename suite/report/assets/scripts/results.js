// The results as data: which cells the filters leave, and how each stands to its baseline.

const results = JSON.parse(document.getElementById("data-results").textContent);
const DIMENSIONS = ["family", "task", "phase", "batch", "backend", "execution", "precision", "device"];
const SWAPPED = { FASTER: "SLOWER", SLOWER: "FASTER" };
const BEST = "best of each comparison";
const SHOWN = { // what of the cells is shown: name, test of a row
  all: () => true,
  "what differs": ({ relative }) => ["FASTER", "SLOWER", "DIFFERENT"].includes(relative?.verdict),
  "only slower": ({ relative }) => relative?.verdict === "SLOWER",
  "not EQUIVALENT": ({ relative, cell }) => cell.status !== "ok" || (!relative?.same && relative?.verdict !== "EQUIVALENT"),
  "not measured": ({ cell }) => !("step" in cell.values || "throughput" in cell.values),
  failed: ({ cell }) => cell.status === "failed",
};

for (const [place, cell] of results.cells.entries()) cell.place = place;
const armOf = (cell) => `${cell.backend} ${cell.execution}`;
const metricNamed = (key) => results.metrics.find((metric) => metric.key === key);
const unique = (values) => [...new Set(values)];

remember("tab", [...document.querySelectorAll("[role=tab]")].map((tab) => tab.dataset.tab));
remember("metric", results.metrics.map((metric) => metric.key));
remember("base", [BEST, ...unique(results.cells.map(armOf))]);
for (const name of DIMENSIONS) remember(name, ["all", ...unique(results.cells.map((cell) => String(cell[name])))]);
remember("show", Object.keys(SHOWN));
defaults.search = "";
defaults.sort = "";
defaults.cell = "";

// What a group's cells are compared with, or null where it has no such cell with a value.
function baselineOf(group, state, metric) {
  const known = results.cells.filter((cell) => cell.group === group && cell.values[metric.key]);
  if (state.base !== BEST) return known.find((cell) => armOf(cell) === state.base) ?? null;
  const own = known.filter((cell) => !cell.twin);
  const ranked = ["time", "rate"].includes(metric.judged) ? own.filter((cell) => cell.tier === 1) : [];
  const sign = metric.better === "higher" ? -1 : 1;
  const value = (cell) => sign * cell.values[metric.key][0];
  return (ranked.length ? ranked : own).reduce((best, cell) => (!best || value(cell) < value(best) ? cell : best), null);
}

// The pair of two arms, as the second against the first.
function pairOf(pairs, base, cell, name) {
  for (const pair of pairs) {
    if (pair.base === base[name] && pair.new === cell[name]) return { ...pair };
    if (pair.base === cell[name] && pair.new === base[name]) return { ...pair, inverse: true };
  }
  return null;
}

// A cell against its baseline: {value, low, high, launches, verdict, reason}; low and high are null
// where nothing tells how sure it is. Scores differ by points or bits, all else by a factor: of times
// for every metric that is made of them, rates too, so that more is slower wherever a ratio stands.
function relativeTo(base, cell, metric) {
  const [own] = cell.values[metric.key] ?? [];
  if (!base || own === undefined) return null;
  const difference = metric.judged === "learning";
  if (base === cell) return { value: difference ? 0 : 1, low: null, high: null, verdict: null, same: true };
  const of = base.values[metric.key][0];
  const apart = difference ? own - of : metric.judged === "rate" ? of / own : own / of;
  const { pairs, learning } = results.groups[cell.group];
  const pair = difference
    ? pairOf(learning.filter((each) => each.metric === metric.key), base, cell, "backend")
    : metric.judged && pairOf(pairs, base, cell, "name");
  if (!pair) return { value: apart, low: null, high: null, verdict: null };
  let { ratio: value, low, high, verdict, launches = [] } = pair;
  if (pair.inverse) {
    const turn = (each) => (each === null ? null : difference ? -each : 1 / each);
    [value, low, high] = [turn(value), turn(high), turn(low)];
    launches = launches.map(turn);
    verdict = SWAPPED[verdict] ?? verdict;
  }
  return { value, low, high, launches, verdict, reason: pair.reason };
}

// Do the filters leave what is about this? They ask for no more than it tells: {task, backend, ...};
// a pair has an ``other`` backend.
function chosen(about, state) {
  const told = { family: about.task?.split("-")[0], ...about };
  return DIMENSIONS.every((name) => state[name] === "all" || told[name] === undefined || String(told[name]) === state[name]
    || (name === "backend" && told.other === state.backend));
}

// The cells that the filters leave, each with its baseline: {cell, base, relative}.
function rowsFor(state) {
  const metric = metricNamed(state.metric);
  const bases = results.groups.map((_, group) => baselineOf(group, state, metric));
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  return results.cells
    .filter((cell) => chosen(cell, state))
    .filter((cell) => {
      const text = [cell.id, spaced(cell.status), cell.reason, spaced(cell.parity)].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .map((cell) => ({ cell, base: bases[cell.group], relative: relativeTo(bases[cell.group], cell, metric) }))
    .filter(SHOWN[state.show]);
}

function isAccuracy(metric) {
  return metric.judged === "learning";
}

// What ratios are of: times, where a metric is made of them.
function ofTimes(metric) {
  return ["time", "rate"].includes(metric.judged);
}

function relativeText({ value, low, high, launches = [], same }, metric, brief = false) {
  if (same) return "baseline";
  const sign = (each) => (isAccuracy(metric) ? `${each < 0 ? "−" : "+"}${Math.abs(each).toFixed(metric.margin < 1 ? 3 : 2)}` : factor(each));
  const unit = isAccuracy(metric) ? ` ${metric.apart}` : "×";
  if (low !== null) return `${sign(value)}${unit}${brief ? "" : ` (${sign(low)} to ${sign(high)})`}`;
  if (launches.length === 2 && !brief) return `${both(launches, sign)}${unit}`;
  return `${sign(value)}${unit}${brief || !launches.length ? "" : ` (${notDetermined(launches)})`}`;
}

// Half the interval as a share of the value, in percent.
function halfWidth([value, low, high]) {
  return low === undefined || !value ? null : (100 * Math.max(high - value, value - low)) / Math.abs(value);
}

// With ± half the interval; of two launches both, and where the interval determines nothing, by how
// much launches differ: each one's time over the cell's.
function valueText(values, metric, launches) {
  if (!values) return MISSING;
  const half = halfWidth(values);
  if (half === null && ofTimes(metric) && launches.length === 2) return both(launches.map((each) => (metric.judged === "rate" ? values[0] / each : values[0] * each)), number);
  if (half === null) return number(values[0]) + (ofTimes(metric) && launches.length ? ` (${notDetermined(launches)})` : "");
  if (isAccuracy(metric)) return `${values[0].toFixed(1)} (${values[1].toFixed(1)} to ${values[2].toFixed(1)})`;
  return `${number(values[0])} ±${half.toFixed(half >= 10 ? 0 : 1)} %`;
}

function baseText(state) {
  return state.base === BEST ? "the best" : state.base;
}

function directionOf(metric) {
  return `${metric.better} is better`;
}

function mark(cell) {
  return make("span", { class: "mark", "aria-hidden": "true", style: `color: ${cell.colour}` }, cell.glyph);
}
