// Live: how the pipeline is doing now and in the last minutes.

import { get } from "/web/api.js";
import { Chart } from "/web/chart.js";
import { element, fill, renew } from "/web/dom.js";
import { bytes, seconds, short, words } from "/web/format.js";
import { panels, stateOf, tilesOf } from "/web/live_panels.js";
import { between, meanRequest, quantile, rate, total } from "/web/series.js";

const EVERY_MS = 2000;
const MOST_POINTS = 450;
const VERDICTS = "Requests /s by verdict";

const CHARTS = [
  { title: "Throughput", series: ["records read /s", "calls delivered /s"], format: short, area: true, make: throughput },
  { title: "Lag", series: ["records behind"], format: short, area: true, make: (now) => [now.lag] },
  { title: "Time of a request", series: ["mean", "99 % within"], format: seconds, make: requestTimes },
  { title: "Reading to confirmation", series: ["half within", "99 % within"], format: seconds, make: (now, before) => delays("read", now, before) },
  { title: "Age of a record when confirmed", series: ["half within", "99 % within"], format: seconds, make: (now, before) => delays("written", now, before) },
  { title: "In flight", series: ["requests", "limit"], format: short, make: (now) => [now.in_flight, now.in_flight_limit] },
  { title: "Open", series: ["records not settled", "calls waiting"], format: short, make: (now) => [now.open_records, now.waiting_calls] },
  { title: "Memory of what is open", series: ["bytes"], format: bytes, area: true, make: (now) => [now.open_bytes] },
  { title: VERDICTS, series: ["delivered"], format: short, make: () => [null] },
];

/** Show the view and keep it up to date; returns what ends that. */
export async function open(main, { tell }) {
  const view = new Live(tell);
  fill(main, view.nodes);
  await view.refresh();
  const timer = setInterval(() => view.refresh().catch(() => {}), EVERY_MS);
  return () => {
    clearInterval(timer);
    view.leaving.abort();
  };
}

class Live {
  constructor(tell) {
    this.tell = tell;
    this.points = [];
    this.leaving = new AbortController();
    this.state = element("div");
    this.tiles = element("dl", { class: "tiles" });
    this.charts = CHARTS.map((settings) => ({ ...settings, chart: new Chart(settings) }));
    this.grid = element("div", { class: "grid" }, this.charts.map(({ chart }) => chart.node));
    this.nodes = [element("h1", { class: "visually-hidden" }, "Live"), this.state, this.tiles, this.grid];
  }

  async refresh() {
    if (this.isAsking || (document.hidden && this.points.length)) return;
    this.isAsking = true;
    const since = this.points.at(-1)?.time ?? 0;
    try {
      const [status, history] = await Promise.all([
        get("/api/status", this.leaving.signal),
        get(`/api/history?since=${since}`, this.leaving.signal),
      ]);
      this.points = [...this.points, ...history.points].slice(-MOST_POINTS);
      this.show(status);
      this.tell(null);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.tell(error.status ? error.message : "The pipeline does not answer; what is shown here is old.");
    } finally {
      this.isAsking = false;
    }
  }

  show(status) {
    renew(this.state, stateOf(status));
    renew(this.tiles, tilesOf(status, this.rates()));
    for (const { chart, make, title } of this.charts) {
      if (title === VERDICTS) this.drawVerdicts(chart);
      else chart.draw(between(this.points, make));
    }
    renew(this.grid, this.charts.map(({ chart }) => chart.node), panels(status));
  }

  drawVerdicts(chart) {
    const names = Object.keys(this.points.at(-1)?.requests ?? {}).filter((name) => this.points.at(-1).requests[name] > 0);
    chart.name(names.length ? names.slice(0, 6).map(words) : ["delivered"]);
    const of = (point, name) => point.requests[name] ?? 0;
    chart.draw(
      between(this.points, (now, before, elapsed) =>
        names.slice(0, 6).map((name) => rate(of(now, name), of(before, name), elapsed)),
      ),
    );
  }

  rates() {
    const last = between(this.points.slice(-3), throughput).at(-1);
    const lost = between(this.points.slice(-3), (now, before, elapsed) => [
      rate(now.dead_letters, before.dead_letters, elapsed),
      rate(total(now.requests), total(before.requests), elapsed),
    ]).at(-1);
    return { records: last?.[1], delivered: last?.[2], deadLetters: lost?.[1], requests: lost?.[2] };
  }
}

function throughput(now, before, elapsed) {
  return [rate(now.records, before.records, elapsed), rate(now.delivered, before.delivered, elapsed)];
}

function requestTimes(now, before) {
  return [meanRequest(now, before), delays("request", now, before)[1]];
}

function delays(name, now, before) {
  return [0.5, 0.99].map((share) => quantile(now.delays[name], before.delays[name], share));
}
