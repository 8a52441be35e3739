// The index of many runs: filtered, sorted, and two of them picked to be compared.

const table = document.getElementById("rows");
const compareLink = document.getElementById("compare");
const boxes = [...table.querySelectorAll("input[type=checkbox]")];
let picked = []; // at most two runs, in the order in which they were picked

const rows = setUpRows(table, { one: "run", many: "runs", more: () => ({ pick: picked.join(",") }) });

function showPicked() {
  for (const box of boxes) box.checked = picked.includes(box.value);
  const names = picked.map((id) => boxes.find((box) => box.value === id)).sort((a, b) => created(a) - created(b));
  const ready = names.length === 2;
  compareLink.textContent = ready
    ? `Compare ${names[0].dataset.name} → ${names[1].dataset.name}`
    : `Pick ${names.length ? "one more run" : "two runs"} to compare`;
  if (ready) compareLink.href = `compare.html#${new URLSearchParams({ base: names[0].value, new: names[1].value })}`;
  else compareLink.removeAttribute("href");
}

function created(box) {
  return -box.closest("tr").dataset.number; // rows are numbered from the newest
}

function readAddress() {
  readControls();
  showFront();
  picked = (told("pick") ?? "").split(",").filter((id) => boxes.some((box) => box.value === id)).slice(0, 2);
  rows.read();
  showPicked();
}

for (const box of boxes) {
  box.addEventListener("change", () => {
    picked = box.checked ? [...picked, box.value].slice(-2) : picked.filter((id) => id !== box.value);
    showPicked();
    rows.write();
  });
}
for (const control of controls) {
  control.addEventListener("input", () => {
    showFront();
    rows.show();
    rows.write();
  });
}
addEventListener("hashchange", readAddress);
readAddress();
