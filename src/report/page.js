"use strict";
// Draws the points of every scatter plot, and describes the point under the pointer.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999933", "#882255", "#6a3d9a", "#b15928"];
/** Colour of points without a value, and of points outside of the largest groups. */
const NONE = "#888888";
const RADIUS = 4;
const MARGIN = 12;

function make(parent, name, attributes = {}, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

/** Returns the colour of a value, from 0 (low) to 1 (high). All colours are visible on light and on dark. */
function shade(share) {
  return `hsl(${240 - 200 * share} 75% ${45 + 15 * share}%)`;
}

/** Returns a colour for each of the largest groups, and grey for the others. */
function grouped(values) {
  const sizes = new Map();
  values.forEach((value) => sizes.set(value, (sizes.get(value) ?? 0) + 1));
  const largest = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a)).slice(0, COLOURS.length);
  largest.sort((a, b) => String(a).localeCompare(String(b), "en", { numeric: true }));
  const of = new Map(largest.map((group, n) => [group, COLOURS[n]]));
  const legend = [...of].map(([group, colour]) => [group || "none", colour]);
  if (sizes.size > of.size) legend.push(["others", NONE]);
  return { colours: values.map((value) => of.get(value) ?? NONE), legend };
}

/** Returns the colour of every point by a column, and the legend of the colours. */
function coloured({ number, values }) {
  if (number) {
    const [low, high] = range(values);
    const share = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const of = (value) => (value === null ? NONE : shade(share(value)));
    const legend = low <= high ? [[String(low), of(low)], [String(high), of(high)]] : [];
    return { colours: values.map(of), legend };
  }
  return grouped(values);
}

function range(values) {
  const known = values.filter((value) => value !== null);
  return known.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
}

/** Returns the positions of a panel's points on a square of `side` pixels. Both axes have equal scales. */
function places({ x, y }, side) {
  const ranges = [range(x), range(y)];
  const span = Math.max(...ranges.map(([low, high]) => high - low)) || 1;
  const scale = ([low, high]) => (value) => side / 2 + ((value - (low + high) / 2) / span) * (side - 2 * MARGIN);
  const [right, up] = ranges.map(scale);
  return x.map((value, n) => (value === null || y[n] === null ? null : [right(value), side - up(y[n])]));
}

function nearest(points, [x, y]) {
  let found = -1;
  let least = Infinity;
  points.forEach((point, n) => {
    const distance = point ? (point[0] - x) ** 2 + (point[1] - y) ** 2 : Infinity;
    if (distance < least) [found, least] = [n, distance];
  });
  return found;
}

function scatter(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const count = data.panels[0].x.length;
  // A text column with more than 40 different values probably contains names, so it is not offered as a colour.
  const distinct = (column) => new Set(column.values).size;
  const columns = data.columns.filter((column) => column.number || distinct(column) <= 40);
  const controls = make(figure, "label", {}, "Colour by ");
  const choice = make(controls, "select");
  columns.forEach((column) => make(choice, "option", {}, column.name));
  const legend = make(figure, "div", { class: "legend" });
  const panels = make(figure, "div", { class: "panels" });
  const details = make(figure, "div", { class: "details", role: "status" }, "Point at a dot, or step through the dots with the arrow keys.");
  const draws = [];
  let chosen = -1;

  const draw = () => draws.forEach((one) => one());
  const choose = (n) => {
    chosen = n;
    details.textContent = "";
    if (data.thumbnails && data.thumbnails[n]) {
      make(details, "img", { src: data.thumbnails[n], alt: "image of the chosen point" });
    }
    make(details, "span", {}, data.columns.map((column) => `${column.name}: ${column.values[n] ?? "none"}`).join(", "));
    draw();
  };

  for (const panel of data.panels) {
    const box = make(panels, "div");
    make(box, "div", {}, panel.name);
    const label = `${data.title}, ${panel.name}: ${count} points`;
    const canvas = make(box, "canvas", { tabindex: "0", role: "img", "aria-label": label });
    let points = [];
    draws.push(() => {
      const side = canvas.clientWidth;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = canvas.height = side * ratio;
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      points = places(panel, side);
      const { colours } = coloured(columns[choice.selectedIndex] ?? { values: Array(count).fill("") });
      points.forEach((point, n) => {
        if (!point) return;
        pen.fillStyle = colours[n];
        pen.beginPath();
        pen.arc(point[0], point[1], n === chosen ? 2 * RADIUS : RADIUS, 0, 2 * Math.PI);
        pen.fill();
        pen.strokeStyle = getComputedStyle(canvas).color;
        if (n === chosen) pen.stroke();
      });
    });
    const point = (event) => {
      const { left, top } = canvas.getBoundingClientRect();
      const n = nearest(points, [event.clientX - left, event.clientY - top]);
      if (n >= 0 && n !== chosen) choose(n);
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      choose((chosen + step + count) % count);
    });
  }
  choice.addEventListener("change", () => {
    legend.textContent = "";
    for (const [name, colour] of columns.length ? coloured(columns[choice.selectedIndex]).legend : []) {
      const entry = make(legend, "span");
      make(entry, "i").style.background = colour;
      entry.append(String(name));
    }
    draw();
  });
  choice.dispatchEvent(new Event("change"));
  window.addEventListener("resize", draw);
}

document.querySelectorAll(".scatter").forEach(scatter);

// A box of the graph links to its row in the table. If the table is folded, the click unfolds it.
document.querySelectorAll(".graph a").forEach((box) => {
  box.addEventListener("click", () => {
    const folded = document.getElementById(box.getAttribute("href").slice(1))?.closest("details");
    if (folded) folded.open = true;
  });
});
