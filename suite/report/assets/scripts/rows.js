// One table whose rows are searched, filtered and sorted. A row says in data-NAME, as a JSON list,
// what a control with data-filter="NAME" may be set to for it to be seen.

function setUpRows(table, { one, many, more = () => ({}), changed = () => {} }) {
  const amount = document.getElementById("amount");
  const filters = controls.filter((control) => control.dataset.filter);
  const search = controls.find((control) => control.type === "search");
  const heads = [...table.tHead.rows[0].cells];
  let order = null; // {head, down}

  function visible(row) {
    const text = row.textContent.toLowerCase();
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.every((word) => text.includes(word))) return false;
    return filters.every(
      (control) => control.value === "" || JSON.parse(row.dataset[control.dataset.filter]).includes(control.value),
    );
  }

  function show() {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = !visible(row);
    const seen = rows.filter((row) => !row.hidden).length;
    const all = counted(rows.length, one, many);
    amount.textContent = seen === rows.length ? all : `${seen} of ${all}`;
    changed();
  }

  function sort() {
    for (const head of heads) if (head.querySelector("button")) head.setAttribute("aria-sort", "none");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const given = (row) => Number(row.dataset.number);
    let compare = (a, b) => given(a) - given(b);
    if (order) {
      order.head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      const index = heads.indexOf(order.head);
      const numeric = order.head.classList.contains("number");
      const value = (row) => row.cells[index].dataset.value ?? "";
      const rising = (a, b) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
      compare = (a, b) => {
        if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === ""); // missing last
        return (order.down ? -1 : 1) * rising(value(a), value(b)) || given(a) - given(b);
      };
    }
    body.append(...rows.sort(compare));
  }

  function write() {
    const sorted = order && `${order.down ? "-" : ""}${order.head.dataset.sort}`;
    writeControls({ sort: sorted, ...more() });
  }

  function read() {
    const name = told("sort") ?? "";
    const head = heads.find((each) => each.dataset.sort && each.dataset.sort === name.replace(/^-/, ""));
    order = head ? { head, down: name.startsWith("-") } : null;
    sort();
    show();
  }

  for (const head of heads) {
    head.querySelector("button")?.addEventListener("click", () => {
      order = { head, down: order?.head === head && !order.down };
      sort();
      write();
    });
  }
  return { read, show, write };
}
