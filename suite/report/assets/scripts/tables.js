// Tables of class "sortable" are sorted by a click on a heading.

function sortTable(table, index, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, value: row.cells[index].dataset.value }));
  const numeric = header.classList.contains("number");
  rows.sort((one, two) => {
    if (one.value === "" || two.value === "") return (one.value === "") - (two.value === ""); // missing last
    const order = numeric ? one.value - two.value : one.value.localeCompare(two.value);
    return descending ? -order : order;
  });
  for (const { row } of rows) {
    row.classList.remove("top"); // groups end where another order begins
    body.append(row);
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, index) => {
    header.querySelector("button")?.addEventListener("click", () => sortTable(table, index, header));
  });
}
