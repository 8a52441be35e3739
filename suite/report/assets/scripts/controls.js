// Tabs, the switch of the metric, the baseline, the filters: all they do is change the state.

const NAMES = { show: "show", metric: "metric", base: "baseline", family: "model family" };
const controls = document.getElementById("controls");
const tabs = [...document.querySelectorAll("[role=tab]")];
const panels = [...document.querySelectorAll("[role=tabpanel]")];

function choice(name, values, text = (value) => value) {
  const select = make("select", { name, change: () => go({ [name]: select.value }) },
    values.map((value) => make("option", { value }, text(value))));
  views.push((state) => (select.value = state[name]));
  return make("label", {}, NAMES[name] ?? name, select);
}

function buildControls() {
  const search = make("input", { type: "search", name: "search", placeholder: "task, arm, reason …",
    input: () => go({ search: search.value }, true) });
  views.push((state) => {
    if (search.value !== state.search) search.value = state.search;
  });
  const filters = DIMENSIONS.filter((name) => {
    const kinds = allowed[name].length - 1;
    return kinds > 1 && (name !== "family" || kinds < allowed.task.length - 1);
  });
  controls.append(
    choice("metric", allowed.metric, (key) => {
      const metric = metricNamed(key);
      return `${metric.name}, ${metric.unit} ${metric.better === "higher" ? "↑" : "↓"}`;
    }),
    choice("base", allowed.base),
    ...filters.map((name) => choice(name, allowed[name])),
    choice("show", allowed.show),
    make("label", {}, "search", search),
  );
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
}

function reset() {
  const kept = ["tab", "metric", "base", "sort"];
  go(Object.fromEntries(Object.entries(defaults).filter(([name]) => !kept.includes(name))));
}

function buildTabs() {
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => go({ tab: tab.dataset.tab }));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[key];
      if (to === undefined) return;
      const other = tabs.at(to % tabs.length);
      go({ tab: other.dataset.tab });
      other.focus();
    });
  }
  document.querySelector("[role=tablist]").hidden = false;
  views.push((state) => {
    for (const tab of tabs) {
      const chosen = tab.dataset.tab === state.tab;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
    }
    for (const panel of panels) panel.hidden = panel.id !== state.tab;
    // Filters say nothing of the machine, nor of what is missing.
    document.getElementById("choice").hidden = ["gaps", "environment"].includes(state.tab);
  });
}

function buildCount() {
  const told = document.getElementById("told");
  const clear = make("button", { type: "button", click: reset }, "Reset the filters");
  const address = make("button", { type: "button", click: () => copy(location.href, address) }, "Copy the address");
  told.after(clear, address, make("button", { type: "button", click: tableCsv }, "Table as CSV"));
  views.push((state) => {
    const metric = metricNamed(state.metric);
    const amount = rowsFor(state).length;
    told.replaceChildren(
      make("b", {}, `${amount} of ${results.cells.length} cells`),
      ` ${metric.name} in ${metric.unit}, ${directionOf(metric)}. ${metric.note}`,
      isAccuracy(metric) ? "" : ` Differences below ${100 * results.delta} % count as none.`,
    );
  });
}

buildTabs();
buildControls();
buildCount();
