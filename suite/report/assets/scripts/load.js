// Data that lies beside a page is loaded as a script which gives it: a page that is opened from
// disk may load nothing else. A script's load event comes right after it ran, before another's.

const asked = new Map(); // file: promise of its data
let given = null;

window.tribench = { give: (data) => (given = data) };

function load(file) {
  if (!asked.has(file)) {
    const promise = new Promise((resolve, reject) => {
      const script = make("script", { src: file });
      script.addEventListener("load", () => resolve(given));
      script.addEventListener("error", () => reject(new Error(`${file} cannot be loaded`)));
      document.head.append(script);
    });
    asked.set(file, promise);
  }
  return asked.get(file);
}
