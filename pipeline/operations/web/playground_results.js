// What the playground's server says, to look at: findings, tests, rules, calls and requests.

import { card, element, json } from "/web/dom.js";

const VERDICTS = { matched: "good", "not matched": "", "not tried": "warn" };
const STATES = { passed: "good", failed: "bad", "not run": "warn" };

/** Return the findings; a click leads to the place. */
export function problemList(problems, go) {
  if (!problems.length) return element("p", { class: "hint" }, "No findings.");
  return element("ul", { class: "problems", "aria-label": "Findings" }, problems.map((problem) =>
    element("li", {},
      element("span", { class: `badge ${problem.level === "error" ? "bad" : "warn"}` }, problem.level),
      element("span", {},
        problem.line ? element("button", { class: "link mono", onclick: () => go(problem) }, `${problem.line}:${problem.column}`) : null,
        ` ${problem.text} `, element("span", { class: "quiet" }, problem.code)))));
}

/** Return the tests: a line when all pass, and else what is wrong. */
export function testList(tests, go) {
  const by = (state) => tests.filter((test) => test.state === state);
  const counts = ["passed", "failed", "not run"].map((state) => [state, by(state).length]).filter(([, count]) => count);
  if (!counts.length) return element("p", { class: "hint" }, "No tests.");
  const badges = counts.map(([state, count]) => element("span", { class: `badge ${STATES[state]}` }, `${count} ${state}`));
  const rest = [...by("failed"), ...by("not run")];
  return [
    element("div", { class: "row" }, element("h3", {}, "Tests"), badges),
    element("ul", { class: "verdicts" }, rest.map((test) =>
      element("li", { class: STATES[test.state] },
        element("button", { class: "link", onclick: () => go(test) }, test.name),
        test.lines.length ? element("pre", { tabindex: "0" }, test.lines.join("\n")) : null))),
  ];
}

/** Return the cards about the event: rules on one side, calls and requests on the other. */
export function outcome(found, go) {
  if (found === null) return card("Outcome", element("p", { class: "quiet" }, "The rules cannot be used yet; see the findings."));
  return [
    card("Rules", found.rules.length
      ? element("ul", { class: "verdicts", "aria-label": "Rules" }, found.rules.map((rule) => ruleOf(rule, go)))
      : element("p", { class: "quiet" }, "No rule was tried.")),
    element("div", { class: "sections" }, failures(found), calls(found), requests(found)),
  ];
}

function ruleOf(rule, go) {
  const isOpen = rule.verdict === "matched";
  return element("li", { class: VERDICTS[rule.verdict] },
    element("details", { open: isOpen },
      element("summary", {}, element("strong", {}, rule.name), " ", element("span", { class: `badge ${VERDICTS[rule.verdict]}` }, rule.verdict),
        " ", rule.why ?? whyNot(rule)),
      rule.details.length ? element("pre", { tabindex: "0" }, rule.details.map((line) => line.replace(/^ {2}/, "")).join("\n")) : null,
      element("button", { class: "link", onclick: () => go(rule) }, `line ${rule.line}`)));
}

/** Return the part of a condition that does not hold. */
function whyNot(rule) {
  if (rule.verdict !== "not matched") return "";
  const parts = rule.details.map((line) => line.trim());
  const failed = parts.find((line) => / = (?:false|null|error: .*)$/.test(line)) ?? parts[0] ?? "";
  return element("code", {}, failed);
}

function failures(found) {
  if (!found.failures.length) return null;
  return card("Failures", element("ul", { class: "verdicts" }, found.failures.map((failure) =>
    element("li", { class: "bad" }, element("strong", {}, failure.source ?? "the event"), " ",
      element("span", { class: "badge bad" }, failure.reason), ` ${failure.text}`))));
}

function calls(found) {
  const none = found.matched ? "No call: a rule dropped the event." : "No call: no rule matched.";
  return card(`Calls (${found.calls.length})`, found.calls.length ? found.calls.map(json) : element("p", { class: "quiet" }, none));
}

function requests(found) {
  return card(`Requests (${found.requests.length})`,
    found.requests.length
      ? found.requests.map((request) => [element("p", { class: "mono" }, `${request.method} ${request.path}`), json(request.body ?? null)]).flat()
      : element("p", { class: "quiet" }, "Nothing would be sent."),
    element("p", { class: "hint" }, "Nothing is sent from here. Calls of one event share a request with those of others when the pipeline runs."));
}
