// A text field for code: line numbers, colours, and marks where something is wrong.

import { element, fill } from "/web/dom.js";

const MOST_COLOURED = 60_000;
const YAML = /(?<comment>(?:^|(?<=\s))#.*)|(?<expression>\$\{[^}]*\}?)|(?<string>(?<!\w)"(?:[^"\\\n]|\\.)*"?|(?<!\w)'(?:[^'\n]|'')*'?)|(?<key>[\w.$ -]+?(?=:(?:\s|$)))|(?<literal>\b(?:true|false|null|\d+(?:\.\d+)?)\b)/g;
const JSON_TEXT = /(?<key>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\\n]|\\.)*"?)|(?<literal>\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)/g;

/** An editor; `changed` is called with its text when somebody types. */
export class Editor {
  constructor({ label, language, changed, small = false }) {
    this.syntax = language === "json" ? JSON_TEXT : YAML;
    this.marks = new Map();
    this.gutter = element("div", { class: "gutter mono", "aria-hidden": "true" });
    this.ink = element("pre", { class: "ink", "aria-hidden": "true" });
    this.field = element("textarea", {
      "aria-label": label, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off",
      oninput: () => { this.paint(); changed(this.field.value); },
      onscroll: () => this.follow(),
      onkeydown: (event) => this.indent(event),
    });
    const pane = element("div", { class: "pane" }, this.ink, this.field);
    this.node = element("div", { class: `editor${small ? " small" : ""}` }, this.gutter, pane);
  }

  get value() {
    return this.field.value;
  }

  set value(text) {
    this.field.value = text;
    this.paint();
  }

  /** Mark lines: a map from their numbers to `error` or `warning`. */
  mark(lines) {
    this.marks = lines;
    this.number();
  }

  /** Put the cursor at a line and a column, both counted from 1. */
  goTo(line, column) {
    const before = this.field.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const at = before + Math.max(0, column - 1);
    this.field.focus();
    this.field.setSelectionRange(at, at);
    const height = this.field.scrollHeight / Math.max(1, this.field.value.split("\n").length);
    this.field.scrollTop = Math.max(0, (line - 5) * height);
  }

  paint() {
    const text = this.field.value;
    // The last line break needs something after it to take up a line.
    fill(this.ink, text.length > MOST_COLOURED ? text : coloured(text, this.syntax), "\n");
    this.number();
    this.follow();
  }

  number() {
    const lines = this.field.value.split("\n").length;
    fill(
      this.gutter,
      Array.from({ length: lines }, (_, index) => element("span", { class: this.marks.get(index + 1) }, String(index + 1))),
      element("span", {}, " "), element("span", {}, " "),
    );
  }

  follow() {
    this.ink.scrollTop = this.gutter.scrollTop = this.field.scrollTop;
    this.ink.scrollLeft = this.field.scrollLeft;
  }

  indent(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    const { selectionStart: at, selectionEnd: end, value } = this.field;
    const line = value.slice(value.lastIndexOf("\n", at - 1) + 1, at);
    const spaces = line.match(/^ */)[0];
    if (!spaces) return;
    event.preventDefault();
    this.field.setRangeText(`\n${spaces}`, at, end, "end");
    this.field.dispatchEvent(new Event("input"));
  }
}

function coloured(text, syntax) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(new RegExp(syntax, "gm"))) {
    if (found.index > at) parts.push(text.slice(at, found.index));
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    parts.push(element("span", { class: kind }, found[0]));
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
