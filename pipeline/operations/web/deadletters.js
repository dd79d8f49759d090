// Dead letters: groups, the letters of one, and what can be done about them.

import { get, post } from "/web/api.js";
import { card, element, fill, table } from "/web/dom.js";
import { count, moment, words } from "/web/format.js";
import { letterDetail } from "/web/deadletters_record.js";
import { dismissal, retrying } from "/web/deadletters_actions.js";

/** Show the view. */
export async function open(main, { session, tell }) {
  const view = new Letters(session, tell);
  fill(main, element("h1", { class: "visually-hidden" }, "Dead letters"), view.groups, view.group, view.record);
  await view.refresh();
  return () => view.leave();
}

class Letters {
  constructor(session, tell) {
    this.session = session;
    this.tell = tell;
    this.groups = element("div");
    this.group = element("div", { class: "sections letters" });
    this.record = element("div", { class: "sections" });
    this.endings = [];
  }

  async refresh() {
    fill(this.groups, card("Dead letters", element("p", { class: "quiet" }, "Reading…")));
    fill(this.group);
    fill(this.record);
    const found = await this.ask(() => get("/api/deadletters"));
    if (found !== null) fill(this.groups, this.groupsCard(found));
  }

  groupsCard({ dead_letters: all, groups }) {
    const again = element("button", { onclick: () => this.refresh() }, "Look again");
    if (!groups.length) return card("Dead letters", element("p", {}, "There is none."), again);
    const names = ["count", "reason", "rule", "field", "first seen", "last seen", "example", ""];
    const rows = groups.map((each) => [
      count(each.count), words(each.reason), each.rule ?? "–", each.field ?? "–",
      moment(each.first_seen_ms), moment(each.last_seen_ms), each.example,
      element("button", { onclick: () => this.open(each) , "aria-label": `Open ${each.reason} ${each.rule ?? ""}` }, "Open"),
    ]);
    return card(
      `Dead letters (${count(all)})`, table(names, rows, ["count"]),
      element("div", { class: "row" }, again, element("span", { class: "hint" }, "What a retry delivers, and what is dismissed, is not listed any more.")),
    );
  }

  async open(group) {
    const which = { group: [group.reason, group.rule, group.field] };
    const found = await this.ask(() => post("/api/deadletters/group", which));
    if (found === null) return;
    fill(this.record);
    const title = [words(group.reason), group.rule, group.field].filter(Boolean).join(", ");
    fill(this.group, card(
      `${title} (${count(found.dead_letters)})`,
      this.actions(which, found.dead_letters),
      table(["record", "call", "status", "entries", "requests", "last seen", "what"], found.each.map((letter) => [
        this.session.payloads
          ? element("button", { class: "link mono", onclick: () => this.show(letter.position) }, letter.position)
          : element("span", { class: "mono" }, letter.position),
        letter.call ?? "the whole record", letter.status ?? "–", count(letter.times), count(letter.attempts),
        moment(letter.last_seen_ms), letter.text,
      ]), ["status", "entries", "requests"]),
      found.dead_letters > found.each.length ? element("p", { class: "hint" }, `The first ${found.each.length} are shown.`) : null,
      this.session.payloads ? null : element("p", { class: "hint" }, "Originals are not shown at this address; admin.show_payloads allows it."),
    ));
    this.group.querySelector("h2").setAttribute("tabindex", "-1");
    this.group.querySelector("h2").focus();
  }

  actions(which, all) {
    const done = () => this.refresh();
    const ending = retrying(which, this.tell, done);
    this.endings.push(ending.leave);
    return [ending.node, element("div", { class: "row" }, dismissal(which, all, this.tell, done))];
  }

  async show(position, reveal = false) {
    fill(this.record, card(position, element("p", { class: "quiet" }, "Reading…")));
    const found = await this.ask(() => post("/api/deadletters/letter", { position, reveal }));
    if (found === null) return fill(this.record);
    fill(this.record, letterDetail(position, found.records, reveal, (again) => this.show(position, again)),
      card("What to do", this.actions({ position }, found.records.reduce((sum, record) => sum + record.dead_letters.length, 0))));
    this.record.firstChild.scrollIntoView({ block: "start" });
  }

  async ask(question) {
    try {
      const answer = await question();
      this.tell(null);
      return answer;
    } catch (error) {
      this.tell(error.message);
      return null;
    }
  }

  leave() {
    for (const end of this.endings) end();
  }
}
