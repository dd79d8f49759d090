// Person: what became of somebody's latest records.

import { post } from "/web/api.js";
import { card, element, fill, json } from "/web/dom.js";
import { count } from "/web/format.js";

const AMOUNTS = [1_000, 5_000, 20_000, 50_000];

/** Show the view. */
export async function open(main, { session, tell }) {
  const result = element("div", { class: "sections", "aria-live": "polite" });
  if (!session.payloads) {
    fill(main, card("Person", element("p", {}, "Data of events is not shown at this address; admin.show_payloads: true allows it.")));
    return;
  }
  const whom = element("input", { id: "whom", required: true, autocomplete: "off", placeholder: "u1, or email:ada@example.com" });
  const amount = element("select", { id: "amount" }, AMOUNTS.map((each) => element("option", { value: each }, count(each))));
  amount.value = "5000";
  const reveal = element("input", { type: "checkbox" });
  const button = element("button", { class: "primary" }, "Look");
  const look = async (event) => {
    event.preventDefault();
    button.disabled = true;
    fill(result, element("p", { class: "quiet" }, "Reading…"));
    try {
      const asked = { whom: whom.value.trim(), records: Number(amount.value), reveal: reveal.checked };
      fill(result, found(asked.whom, await post("/api/person", asked)));
      tell(null);
    } catch (error) {
      fill(result);
      tell(error.message);
    } finally {
      button.disabled = false;
    }
  };
  const form = element("form", { class: "row end", onsubmit: look },
    element("div", { class: "field grow" }, element("label", { for: "whom" }, "Who"), whom),
    element("div", { class: "field" }, element("label", { for: "amount" }, "Latest records of each topic"), amount),
    element("label", { class: "check" }, reveal, "Show values"), button);
  const hint = "Records are read without a group, and nothing is committed or sent. For longer ranges there is cio-pipeline trace.";
  fill(main, element("h1", { class: "visually-hidden" }, "Person"), card("What became of somebody's records", form, element("p", { class: "hint" }, hint)), result);
}

function found(whom, answer) {
  if (!answer.records.length) {
    return card(whom, element("p", {}, `There is nothing about ${whom} among the latest ${count(answer.read)} records.`));
  }
  const shown = answer.found > answer.records.length ? `, the newest ${count(answer.records.length)} shown` : "";
  return [
    element("p", { class: "quiet" }, `${count(answer.found)} of the latest ${count(answer.read)} records${shown}; the newest first.`),
    answer.records.map(recordCard),
  ].flat();
}

function recordCard(record) {
  const kind = record.failures.length || record.dead_letters.length ? "bad" : record.calls.length ? "good" : "";
  return card(
    record.position,
    element("div", { class: "row" }, element("span", { class: `badge ${kind}` }, record.outcome), element("span", { class: "quiet" }, record.time ?? "without a time"), element("span", { class: "quiet" }, record.why)),
    element("ul", { class: "verdicts" },
      record.calls.map((call) => element("li", { class: "good" }, element("strong", {}, call.source), call.answer ? ` ${call.answer}` : "", json(call.payload))),
      record.failures.map((text) => element("li", { class: "bad" }, text)),
      record.dead_letters.map((text) => element("li", { class: "bad" }, element("span", { class: "badge bad" }, "dead letter"), ` ${text}`))),
  );
}
