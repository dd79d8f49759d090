// The dead letters of one record: the original, what failed, and what the mapping makes of it now.

import { card, element, json } from "/web/dom.js";
import { count, moment, words } from "/web/format.js";
import { take } from "/web/playground.js";

/** Return the cards about a record; `show` shows it again, with its values or without. */
export function letterDetail(position, records, reveal, show) {
  return element("div", { class: "sections" }, records.map((record) => card(
    position,
    element("div", { class: "row" },
      element("label", { class: "check" },
        element("input", { type: "checkbox", checked: reveal, onchange: (event) => show(event.target.checked) }),
        "Show values, which may be personal data"),
      reveal ? element("button", { onclick: () => toPlayground(record.original) }, "Try it in the playground") : null),
    element("h3", {}, "Original"),
    facts({ time: moment(record.original.timestamp_ms), key: text(record.original.key), ...headers(record.original) }),
    json(record.original.value),
    element("h3", {}, "What failed"),
    element("ul", { class: "verdicts" }, record.dead_letters.map(failure)),
    element("h3", {}, "What the current mapping makes of it"),
    now(record),
  )));
}

function failure(letter) {
  return element("li", { class: "bad" },
    element("strong", {}, letter.call ?? "the whole record"), " ", element("span", { class: "badge bad" }, words(letter.reason)),
    element("p", {}, letter.text),
    facts({ field: letter.field, status: letter.status, answer: letter.answer, entries: count(letter.times), requests: count(letter.attempts), first: moment(letter.first_seen_ms), last: moment(letter.last_seen_ms) }));
}

function now(record) {
  const retried = new Set(record.dead_letters.flatMap((letter) => letter.retried));
  const made = record.calls.map((call, index) => element("li", { class: retried.has(index) ? "good" : "" },
    element("strong", {}, call.call), " ", retried.has(index) ? element("span", { class: "badge good" }, "a retry sends this") : null,
    json(call.operation)));
  const failed = record.failures.map((each) => element("li", { class: "bad" },
    element("strong", {}, each.call ?? "the record"), " ", element("span", { class: "badge bad" }, words(each.reason)), ` ${each.text}`));
  return made.length + failed.length
    ? element("ul", { class: "verdicts" }, made, failed)
    : element("p", { class: "quiet" }, "Nothing.");
}

function headers(original) {
  return Object.fromEntries(original.headers.map(([name, value]) => [`header ${name}`, text(value)]));
}

function facts(named) {
  const known = Object.entries(named).filter(([, value]) => value !== null && value !== undefined);
  return element("dl", { class: "facts" }, known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

function text(value) {
  return value === null || typeof value === "string" ? value : JSON.stringify(value);
}

function toPlayground(original) {
  const { topic, partition, offset, timestamp_ms } = original;
  const named = Object.fromEntries(original.headers.map(([name, value]) => [name, text(value)]));
  const value = original.value;
  const shown = value === null ? null : typeof value === "string" ? value : JSON.stringify(value, null, 2);
  take(shown, { topic, partition, offset, timestamp_ms, key: text(original.key), headers: named });
  location.hash = "#playground";
}
