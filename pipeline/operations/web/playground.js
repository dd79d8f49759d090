// Playground: rules beside an event, and what they make of it. Nothing is sent.

import { get, post } from "/web/api.js";
import { card, element, fill } from "/web/dom.js";
import { Editor } from "/web/editor.js";
import { moment } from "/web/format.js";
import { outcome, problemList, testList } from "/web/playground_results.js";

const WAIT_MS = 350;
const SAMPLES = 20;
const FIRST_EVENT = '{\n  "type": "user.signed_up",\n  "occurred_at": "2026-03-14T09:26:53Z",\n  "user": {"id": "u1", "email": "ada@example.com"}\n}\n';

// What is being written outlives a look at another view.
const draft = { files: null, topics: [], chosen: 0, event: FIRST_EVENT, tombstone: false, record: {} };

/** Take an event over: its text, null for a tombstone, and its record's key, headers and position. */
export function take(text, record) {
  draft.event = text ?? "";
  draft.tombstone = text === null;
  draft.record = record;
}

/** Show the view. */
export async function open(main, { session, tell }) {
  if (draft.files === null) Object.assign(draft, await get("/api/mapping"));
  const bench = new Bench(session, tell);
  fill(main, bench.nodes);
  bench.load();
  return () => bench.leave();
}

class Bench {
  constructor(session, tell) {
    this.tell = tell;
    this.asking = new AbortController();
    this.rules = new Editor({ label: "Mapping", language: "yaml", changed: (text) => this.wrote(() => (draft.files[draft.chosen].text = text)) });
    this.event = new Editor({ label: "Event", language: "json", changed: (text) => this.wrote(() => (draft.event = text)) });
    this.problems = element("div", { "aria-live": "polite" });
    this.tests = element("div");
    this.outcome = element("div", { class: "bench", "aria-live": "polite" });
    this.fields = recordFields(() => this.wrote(() => {}));
    this.nodes = [
      element("h1", { class: "visually-hidden" }, "Playground"),
      element("div", { class: "bench" }, this.mappingCard(), this.eventCard(session)),
      this.outcome,
    ];
  }

  mappingCard() {
    const short = (name) => (draft.files.filter((file) => base(file.name) === base(name)).length > 1 ? name : base(name));
    this.choice = element(
      "select",
      { id: "file", onchange: () => { draft.chosen = Number(this.choice.value); this.load(); } },
      draft.files.map((file, index) => element("option", { value: index, title: file.name }, short(file.name))),
    );
    this.choice.value = String(draft.chosen);
    return card(
      "Mapping",
      element("div", { class: "row" }, element("label", { for: "file" }, "File"), this.choice,
        element("button", { onclick: () => this.reset() }, "Back to the rules in force"),
        element("button", { onclick: () => this.save() }, "Save a copy")),
      this.rules.node, this.problems, this.tests,
    );
  }

  eventCard(session) {
    this.samples = element("select", { "aria-label": "Sampled event", hidden: true, onchange: () => this.pick() });
    this.topics = element("select", { id: "topic" }, draft.topics.map((topic) => element("option", {}, topic)));
    const sampling = session.views.includes("person") && session.payloads && draft.topics.length
      ? element("div", { class: "row" }, element("label", { for: "topic" }, "Topic"), this.topics,
          element("button", { onclick: (event) => this.sample(event.target) }, "Take samples"), this.samples)
      : null;
    this.tombstone = element("input", { type: "checkbox", onchange: () => this.wrote(() => (draft.tombstone = this.tombstone.checked)) });
    return card(
      "Event", sampling, this.event.node,
      element("div", { class: "row" },
        element("label", { class: "check" }, this.tombstone, "a tombstone, without a value"),
        element("button", { onclick: () => this.tidy() }, "Indent")),
      element("details", {}, element("summary", {}, "What Kafka tells: topic, key, headers, time"), this.fields.node),
    );
  }

  load() {
    this.rules.value = draft.files[draft.chosen].text;
    this.event.value = draft.event;
    this.tombstone.checked = draft.tombstone;
    this.fields.show(draft.record);
    this.ask();
  }

  wrote(note) {
    note();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT_MS);
  }

  async ask() {
    this.asking.abort();
    this.asking = new AbortController();
    let record;
    try {
      record = this.fields.read();
    } catch (error) {
      return this.tell(error.message);
    }
    draft.record = record;
    const asked = { files: draft.files.map(({ name, text }) => ({ name, text })), event: draft.tombstone ? null : draft.event, record };
    try {
      this.show(await post("/api/playground", asked, this.asking.signal));
      this.tell(null);
    } catch (error) {
      if (error.name !== "AbortError") this.tell(error.message);
    }
  }

  show(answer) {
    const file = draft.files[draft.chosen].name;
    const marks = new Map();
    for (const problem of answer.problems) {
      if (problem.file === file && marks.get(problem.line) !== "error") marks.set(problem.line, problem.level);
    }
    for (const test of answer.tests) if (test.file === file && test.state === "failed") marks.set(test.line, "error");
    this.rules.mark(marks);
    const go = (place) => this.goTo(place);
    fill(this.problems, problemList(answer.problems, go));
    fill(this.tests, testList(answer.tests, go));
    fill(this.outcome, outcome(answer.outcome, go));
  }

  goTo({ file, line, column }) {
    const index = draft.files.findIndex((each) => each.name === file);
    if (index >= 0 && index !== draft.chosen) {
      draft.chosen = index;
      this.choice.value = String(index);
      this.load();
    }
    this.rules.goTo(line, column ?? 1);
  }

  async sample(button) {
    button.disabled = true;
    button.textContent = "Reading…";
    try {
      const answer = await post("/api/samples", { topic: this.topics.value, count: SAMPLES });
      this.taken = answer.records;
      fill(this.samples, this.taken.map((record, index) =>
        element("option", { value: index }, `${record.partition}@${record.offset}  ${moment(record.timestamp_ms)}`)));
      this.samples.hidden = this.taken.length === 0;
      if (this.taken.length) this.pick();
    } catch (error) {
      this.tell(error.message);
    } finally {
      button.disabled = false;
      button.textContent = "Take samples";
    }
  }

  pick() {
    const { text, problem, ...record } = this.taken[Number(this.samples.value || 0)];
    this.tell(problem);
    if (problem) return;
    take(text, record);
    this.load();
  }

  tidy() {
    try {
      this.event.value = draft.event = JSON.stringify(JSON.parse(draft.event), null, 2);
    } catch (error) {
      this.tell(`The event is not JSON: ${error.message}`);
    }
  }

  async reset() {
    const { files } = await get("/api/mapping");
    const { name } = draft.files[draft.chosen];
    draft.files[draft.chosen].text = files.find((file) => file.name === name)?.text ?? "";
    this.load();
  }

  save() {
    const url = URL.createObjectURL(new Blob([this.rules.value], { type: "text/yaml" }));
    element("a", { href: url, download: base(draft.files[draft.chosen].name) }).click();
    URL.revokeObjectURL(url);
  }

  leave() {
    clearTimeout(this.timer);
    this.asking.abort();
  }
}

function base(name) {
  return name.split("/").at(-1);
}

/** Return the fields for what Kafka tells of a record, with functions that write and read them. */
function recordFields(changed) {
  const input = (name, kind = "text") => element("input", { id: `record-${name}`, type: kind, oninput: changed });
  const fields = { topic: input("topic"), key: input("key"), timestamp_ms: input("timestamp_ms", "number"), headers: input("headers") };
  const labels = { topic: "Topic", key: "Key", timestamp_ms: "Time, Unix milliseconds", headers: "Headers, a JSON object" };
  const rows = Object.entries(fields).map(([name, field]) =>
    element("div", { class: "field grow" }, element("label", { for: field.id }, labels[name]), field));
  let position = {};
  return {
    node: element("div", { class: "row" }, rows),
    show(record) {
      position = { partition: record.partition, offset: record.offset };
      fields.topic.value = record.topic ?? "";
      fields.key.value = record.key ?? "";
      fields.timestamp_ms.value = record.timestamp_ms ?? "";
      fields.headers.value = record.headers && Object.keys(record.headers).length ? JSON.stringify(record.headers) : "";
    },
    read() {
      return {
        topic: fields.topic.value || null,
        key: fields.key.value || null,
        timestamp_ms: fields.timestamp_ms.value ? Number(fields.timestamp_ms.value) : null,
        headers: readHeaders(fields.headers.value),
        partition: position.partition ?? null,
        offset: position.offset ?? null,
      };
    },
  };
}

function readHeaders(text) {
  if (!text.trim()) return null;
  let headers;
  try {
    headers = JSON.parse(text);
  } catch {
    headers = null;
  }
  const isObject = headers !== null && typeof headers === "object" && !Array.isArray(headers);
  if (isObject && Object.values(headers).every((value) => value === null || typeof value === "string")) return headers;
  throw new Error('Headers are a JSON object of texts, such as {"source": "web"}.');
}
