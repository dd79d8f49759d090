// The parts of Live that are not charts: state, numbers, partitions, failures, mapping, workers.

import { card, element, table } from "/web/dom.js";
import { bytes, count, moment, short, span, words } from "/web/format.js";
import { total } from "/web/series.js";

/** Return the line that says whether all is well, and else why not. */
export function stateOf(status) {
  const [kind, title] = status.held
    ? ["bad", "Delivery holds"]
    : !status.ready
      ? ["bad", "Not ready"]
      : status.paused
        ? ["warn", "Ready; reading waits for what is open to settle"]
        : ["good", "Ready"];
  const up = status.started_at ? `up ${span(Date.now() / 1000 - status.started_at)}` : "";
  const isTold = !status.held || status.reasons.some((reason) => reason.includes(status.held));
  const reasons = isTold ? status.reasons : [status.held, ...status.reasons];
  return element(
    "div",
    { class: `state ${kind}` },
    element("strong", { role: "status" }, title),
    element("span", { class: "quiet" }, up),
    reasons.length ? element("ul", { "aria-live": "polite" }, reasons.map((reason) => element("li", {}, reason))) : null,
  );
}

/** Return the numbers of the moment. */
export function tilesOf(status, rates) {
  const counts = status.counts ?? {};
  const lags = status.partitions.map((partition) => partition.lag).filter((lag) => lag !== null);
  const behind = longest(status.partitions.map((partition) => partition.lag_seconds));
  return [
    tile("Records /s", short(rates.records), `${count(counts.records)} read`),
    tile("Calls delivered /s", short(rates.delivered), `${count(total(counts.delivered))} delivered`),
    tile("Lag", lags.length ? count(lags.reduce((sum, lag) => sum + lag, 0)) : "–", behind === null ? "records" : `records, ${span(behind)}`),
    tile("Dead letters", count(total(counts.dead_letters)), rates.deadLetters ? `${short(rates.deadLetters)} /s now` : "none at present"),
    tile("In flight", `${count(status.batches_in_flight)} / ${count(status.requests_in_flight_limit)}`, "requests"),
    tile("Requests /s", short(rates.requests), `at most ${short(status.requests_per_second_limit)}`),
    tile("Open records", count(status.open_records), `${bytes(status.open_bytes)} in memory`),
  ];
}

/** Return the cards below the charts. */
export function panels(status) {
  return [
    partitions(status.partitions),
    failures(status.counts ?? {}),
    delivered(status.counts ?? {}),
    unmatched(status.counts ?? {}),
    kafka(status),
    mapping(status),
    status.workers ? workers(status.workers) : null,
  ];
}

function tile(name, value, note) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, note)));
}

function partitions(all) {
  const largest = Math.max(1, ...all.map((partition) => partition.lag ?? 0));
  const aged = all.some((partition) => typeof partition.lag_seconds === "number");
  const kept = all.some((partition) => typeof partition.retention_left_seconds === "number");
  const names = ["partition", "committed", "end", "lag", ...(aged ? ["behind"] : []), ...(kept ? ["kept for"] : []), ""];
  const rows = all.map((partition) => [
    element("span", { class: "topic" }, `${partition.topic}/${partition.partition}`),
    count(partition.committed),
    count(partition.end),
    count(partition.lag),
    ...(aged ? [length(partition.lag_seconds)] : []),
    ...(kept ? [length(partition.retention_left_seconds)] : []),
    bar((partition.lag ?? 0) / largest),
  ]);
  const none = element("p", { class: "quiet" }, "No partition is assigned.");
  return card("Lag by partition", rows.length ? table(names, rows, ["committed", "end", "lag", "behind", "kept for"]) : none);
}

function failures(counts) {
  const rows = counted(counts.dead_letters);
  const skipped = Object.entries(counts.skipped ?? {}).map(([cause, number]) => `${words(cause)} ${count(number)}`);
  return card(
    "Failures by reason",
    rows.length
      ? table(["reason", "dead letters", ""], bars(rows, "bad"), ["dead letters"])
      : element("p", { class: "quiet" }, "No dead letters since the start."),
    element("p", { class: "hint" }, `Records without a call: ${skipped.join(", ") || "none"}.`),
  );
}

function delivered(counts) {
  const rows = counted(counts.delivered);
  return rows.length ? card("Delivered by kind", table(["kind", "calls", ""], bars(rows), ["calls"])) : null;
}

function unmatched(counts) {
  const rows = counted(counts.unmatched);
  return rows.length ? card("Records that no rule matched, by type", table(["type", "records", ""], bars(rows), ["records"])) : null;
}

function kafka({ client, counts }) {
  if (!client) return null;
  const told = {
    "brokers that answer": count(client.brokers_up),
    "records fetched ahead": `${count(client.queued_records)}, ${bytes(client.queued_bytes)}`,
    "commits": counted(counts?.commits).map(([result, number]) => `${count(number)} ${words(result)}`).join(", ") || "none",
    "rebalances": counted(counts?.rebalances).map(([what, number]) => `${count(number)} ${words(what)}`).join(", ") || "none",
  };
  return card("Kafka", element("dl", { class: "facts" }, Object.entries(told).map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]).flat()));
}

function mapping(status) {
  const state = status.mapping;
  if (!state) return null;
  const last = state.last_reload;
  const told = last
    ? element(
        "p",
        {},
        element("span", { class: `badge ${last.loaded ? "good" : "bad"}` }, last.loaded ? "loaded" : "refused"),
        ` ${moment(last.at * 1000)}`,
      )
    : element("p", { class: "quiet" }, "Not reloaded since the start.");
  const problems = last?.problems?.length ? element("pre", { tabindex: "0" }, last.problems.join("\n")) : null;
  return card("Mapping", element("p", {}, `${count(state.rules)} rules in force. Last reload:`), told, problems);
}

function workers(all) {
  const rows = all.map((worker) => [String(worker.worker), String(worker.process ?? "–"), count(worker.restarts)]);
  return card("Workers", table(["worker", "process", "restarts"], rows, ["process", "restarts"]));
}

function counted(counts) {
  return Object.entries(counts ?? {})
    .filter(([, number]) => number > 0)
    .sort(([, one], [, other]) => other - one);
}

function bars(rows, kind) {
  const largest = Math.max(1, ...rows.map(([, number]) => number));
  return rows.map(([name, number]) => [words(name), count(number), bar(number / largest, kind)]);
}

function bar(share, kind = "") {
  const filled = element("span");
  filled.style.width = `${(share * 100).toFixed(1)}%`;
  return element("span", { class: `bar ${kind}`, "aria-hidden": "true" }, filled);
}

function length(value) {
  return typeof value === "number" ? span(value) : "–";
}

function longest(values) {
  const known = values.filter((value) => typeof value === "number");
  return known.length ? Math.max(...known) : null;
}
