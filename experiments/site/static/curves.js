// Curves that can be read: values under the pointer or by the arrow keys, and lines that can be hidden.
const [H, LEFT, RIGHT, TOP, BOTTOM] = [280, 58, 14, 12, 44];
// As wide as a phone, so that letters stay as large as they are.
const W = Math.max(300, Math.min(640, document.documentElement.clientWidth - 70));
const element = (name, attributes = {}, text = "") => {
  const found = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.textContent = text;
  return found;
};
const short = (v) => (v === null ? "–" : String(Number(v.toPrecision(4))));

// Places numbers between two pixels, linearly or by their logarithms.
function scale(low, high, log, from, to) {
  const f = log ? (v) => Math.log10(v) : (v) => v;
  const [a, b] = [f(low), f(high)];
  const place = (v) => from + ((f(v) - a) / (b - a || 1)) * (to - from);
  const back = (p) => {
    const v = a + ((p - from) / (to - from)) * (b - a);
    return log ? 10 ** v : v;
  };
  return { place, back, ticks: () => (log ? decades(a, b) : round(low, high)) };
}

function round(low, high) {
  const raw = (high - low) / (W < 400 ? 4 : 7);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((k) => k * power >= raw) * power;
  const found = [];
  if (!(step > 0)) return [low];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) found.push(v);
  return found;
}

function decades(a, b) {
  const step = Math.max(1, Math.ceil((b - a) / (W < 400 ? 4 : 6)));
  const found = [];
  const put = (v) => Math.log10(v) >= a - 1e-9 && Math.log10(v) <= b + 1e-9 && found.push(v);
  for (let e = Math.floor(a); e <= b; e += step) for (const k of b - a > 2 ? [1] : [1, 2, 5]) put(k * 10 ** e);
  return found.length > 1 ? found : [10 ** a, 10 ** b];
}

function axes(panel, x, y) {
  const group = element("g");
  const line = (d, opacity) => group.append(element("path", { d, fill: "none", stroke: "currentColor", "stroke-opacity": opacity }));
  for (const v of x.ticks()) {
    line(`M${x.place(v)} ${TOP}V${H - BOTTOM}`, 0.12);
    group.append(element("text", { x: x.place(v), y: H - BOTTOM + 16, "text-anchor": "middle" }, short(v)));
  }
  for (const v of y.ticks()) {
    line(`M${LEFT} ${y.place(v)}H${W - RIGHT}`, 0.12);
    group.append(element("text", { x: LEFT - 6, y: y.place(v) + 4, "text-anchor": "end" }, short(v)));
  }
  line(`M${LEFT} ${TOP}V${H - BOTTOM}H${W - RIGHT}`, 0.6);
  group.append(element("text", { x: (LEFT + W - RIGHT) / 2, y: H - 8, "text-anchor": "middle" }, panel.x));
  group.append(element("text", { transform: `translate(13 ${(TOP + H - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, panel.y));
  return group;
}

// Values that are missing, or that a logarithm cannot show, break the line.
function pathOf(series, x, y, log) {
  let pen = "M";
  let d = "";
  series.x.forEach((u, i) => {
    const v = series.y[i];
    if (v === null || (log[1] && v <= 0) || (log[0] && u <= 0)) return void (pen = "M");
    d += `${pen}${x.place(u).toFixed(1)} ${y.place(v).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

const nearest = (values, at) => values.reduce((best, v, i) => (Math.abs(v - at) < Math.abs(values[best] - at) ? i : best), 0);

let count = 0;
function build(panel) {
  const [x0, x1, y0, y1] = panel.limits;
  const x = scale(x0, x1, panel.log[0], LEFT, W - RIGHT);
  const y = scale(y0, y1, panel.log[1], H - BOTTOM, TOP);
  const name = [panel.title, panel.y && `${panel.y} against ${panel.x}`].filter(Boolean).join(": ") || panel.x;
  const svg = element("svg", { viewBox: `0 0 ${W} ${H}`, tabindex: 0, role: "slider", "aria-label": `${name}; arrow keys read the curves`, "aria-orientation": "horizontal" });
  const clip = `curves-${count++}`;
  const area = element("clipPath", { id: clip });
  area.append(element("rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - BOTTOM }));
  const lines = panel.series.map((s) => element("path", { class: "line", "clip-path": `url(#${clip})`, style: `--c:${s.colour}`, d: pathOf(s, x, y, panel.log) }));
  const cursor = element("path", { stroke: "currentColor", "stroke-dasharray": "2 3", visibility: "hidden" });
  svg.append(area, axes(panel, x, y), ...lines, cursor);

  const key = document.createElement("div");
  key.className = "key";
  const outputs = panel.series.map((s, i) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: s.name });
    button.style.setProperty("--c", s.colour);
    button.setAttribute("aria-pressed", "true");
    const value = button.appendChild(document.createElement("output"));
    button.onclick = () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      lines[i].toggleAttribute("hidden", !on);
    };
    key.append(button);
    return value;
  });

  const grid = [...new Set(panel.series.flatMap((s) => s.x))].filter((v) => v >= Math.min(x0, x1) && v <= Math.max(x0, x1)).sort((a, b) => a - b);
  let at = 0;
  const read = (index) => {
    at = Math.max(0, Math.min(grid.length - 1, index));
    cursor.setAttribute("d", `M${x.place(grid[at])} ${TOP}V${H - BOTTOM}`);
    cursor.setAttribute("visibility", "visible");
    const values = panel.series.map((s) => short(s.y[nearest(s.x, grid[at])]));
    values.forEach((v, i) => (outputs[i].textContent = v));
    svg.setAttribute("aria-valuenow", at);
    svg.setAttribute("aria-valuetext", `${panel.x || "x"} ${short(grid[at])}: ${panel.series.map((s, i) => `${s.name} ${values[i]}`).join(", ")}`);
  };
  svg.setAttribute("aria-valuemin", 0);
  svg.setAttribute("aria-valuemax", Math.max(0, grid.length - 1));
  read(grid.length - 1);
  svg.onpointermove = (event) => {
    const box = svg.getBoundingClientRect();
    read(nearest(grid, x.back(((event.clientX - box.left) / box.width) * W)));
  };
  const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e9, End: 1e9 };
  svg.onkeydown = (event) => {
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    read(at + moves[event.key]);
  };
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = panel.title;
  figure.append(caption, svg, key);
  return figure;
}

for (const place of document.querySelectorAll("details.curves")) {
  const data = place.querySelector("script");
  const show = () => place.open && !place.querySelector("figure") && place.append(...JSON.parse(data.textContent).map(build));
  place.addEventListener("toggle", show);
  show();
}
