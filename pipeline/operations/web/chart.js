// Small line charts of the last minutes.

import { element, fill, svg } from "/web/dom.js";

const WIDTH = 600;
const HEIGHT = 100;

/** A chart of one or more series over time. `format` writes a value, `series` are their names. */
export class Chart {
  constructor({ title, series, format, area = false }) {
    this.title = title;
    this.format = format;
    this.area = area;
    this.series = [];
    this.points = [];
    this.at = null;
    this.legend = element("ul", { class: "legend" });
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.scale = element("div", { class: "scale", "aria-hidden": "true" });
    this.times = element("div", { class: "times", "aria-hidden": "true" });
    this.drawing.addEventListener("pointermove", (event) => this.point(event));
    this.drawing.addEventListener("pointerleave", () => this.point(null));
    const chart = element("div", { class: "chart" }, this.legend, this.drawing, this.scale, this.times);
    this.node = element("section", { class: "card" }, element("h2", {}, title), chart);
    this.name(series);
  }

  /** Use these series from now on. */
  name(series) {
    if (series.join() === this.series.join()) return;
    this.series = series;
    this.values = series.map(() => element("b", {}, "–"));
    fill(
      this.legend,
      series.map((name, index) =>
        element("li", {}, element("span", { class: `series-${index + 1}` }, element("i")), `${name} `, this.values[index]),
      ),
    );
  }

  /** Draw points: each is its time in seconds and a value for each series, null where there is none. */
  draw(points) {
    this.points = points;
    const known = points.flatMap(([, ...values]) => values).filter((value) => value !== null);
    const top = ceiling(Math.max(0, ...known));
    const first = points[0]?.[0] ?? 0;
    const span = Math.max(1, (points.at(-1)?.[0] ?? 0) - first);
    this.x = (time) => ((time - first) / span) * WIDTH;
    const y = (value) => HEIGHT - (value / top) * (HEIGHT - 4);
    const lines = [0.5, 1].map((part) =>
      svg("line", { x1: 0, x2: WIDTH, y1: y(top * part), y2: y(top * part) }),
    );
    this.series.forEach((_, index) => lines.push(...this.paths(index, y)));
    this.cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this.drawing.replaceChildren(...lines, this.cursor);
    fill(this.scale, [top, top / 2, 0].map((value) => element("span", {}, this.format(value))));
    fill(this.times, element("span", {}, clock(first)), element("span", {}, clock(points.at(-1)?.[0])));
    this.tellValues();
  }

  paths(index, y) {
    const made = [];
    for (const run of runs(this.points, index + 1)) {
      const line = run.map(([time, value], at) => `${at ? "L" : "M"}${this.x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      if (this.area && index === 0 && run.length > 1) {
        const closed = `${line}L${this.x(run.at(-1)[0]).toFixed(1)} ${HEIGHT}L${this.x(run[0][0]).toFixed(1)} ${HEIGHT}Z`;
        made.push(svg("path", { class: `area series-${index + 1}`, d: closed }));
      }
      made.push(svg("path", { class: `series-${index + 1}`, d: line }));
    }
    return made;
  }

  point(event) {
    if (event === null || this.points.length === 0) {
      this.at = null;
    } else {
      const box = this.drawing.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH;
      const distance = ([time]) => Math.abs(this.x(time) - x);
      this.at = this.points.reduce((best, each) => (distance(each) < distance(best) ? each : best))[0];
    }
    this.tellValues();
  }

  tellValues() {
    const shown = this.points.find(([time]) => time === this.at) ?? this.points.at(-1);
    this.values.forEach((node, index) => (node.textContent = this.format(shown?.[index + 1] ?? null)));
    if (this.cursor) {
      this.cursor.setAttribute("visibility", this.at === null ? "hidden" : "visible");
      const x = this.at === null ? 0 : this.x(this.at);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
    const told = this.series.map((name, index) => `${name} ${this.values[index].textContent}`).join(", ");
    this.drawing.setAttribute("aria-label", `${this.title}: ${told}`);
    if (this.at !== null) this.times.firstChild.textContent = clock(this.at);
    else if (this.points.length) this.times.firstChild.textContent = clock(this.points[0][0]);
  }
}

/** Return the pieces of a series that have values. */
function* runs(points, column) {
  let run = [];
  for (const point of points) {
    if (point[column] === null || point[column] === undefined) {
      if (run.length) yield run;
      run = [];
    } else {
      run.push([point[0], point[column]]);
    }
  }
  if (run.length) yield run;
}

/** Return a round number that is not below a value. */
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 5, 8, 10].find((step) => step * power >= value * 0.999);
}

function clock(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleTimeString("en-GB") : "";
}
