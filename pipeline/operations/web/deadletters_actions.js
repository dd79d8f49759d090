// What can be done about dead letters: look at what a retry would do, retry, dismiss.

import { get, post } from "/web/api.js";
import { element, fill } from "/web/dom.js";
import { count } from "/web/format.js";

const EVERY_MS = 1000;
const LEFT = {
  failed: "fail again: mend the mapping or the data",
  fails_again: "still fail: mend the mapping or the data",
  not_made: "are not made by the current mapping: a renamed rule keeps its calls with id: OLD NAME",
  irreversible: "cannot be undone and are left out",
  erased: "are about people who were deleted or suppressed later, who would be there again: only the command sends them, with --include-erased",
};

/** Return the retry of a group or a record, first as a trial. */
export function retrying(which, tell, done) {
  const report = element("div", { "aria-live": "polite" });
  const irreversible = element("input", { type: "checkbox" });
  let timer = null;

  const look = guarded(tell, async () => {
    const found = await post("/api/deadletters/preview", { ...which, allow_irreversible: irreversible.checked });
    const sent = found.courses.send ?? 0;
    const kinds = Object.entries(found.calls).map(([kind, number]) => `${count(number)} ${kind}`).join(", ");
    fill(report,
      element("p", {}, `Of ${count(found.dead_letters)}, a retry would send ${count(sent)}${kinds ? `: ${kinds}` : ""}. Nothing was sent yet.`),
      left(found.courses),
      sent ? element("button", { class: "primary", onclick: () => begin(found) }, `Send ${count(sent)} again`) : null);
  });

  const begin = guarded(tell, async (found) => {
    const question = irreversible.checked
      ? "Send these calls again, also those that cannot be undone (destroy, suppress, merge and the like)?"
      : "Send these calls to Customer.io again?";
    if (!(await confirmed(question, "Send"))) return;
    await post("/api/deadletters/retry", { ticket: found.ticket });
    timer = setInterval(follow, EVERY_MS);
    await follow();
  });

  const follow = guarded(tell, async () => {
    const now = await get("/api/deadletters/retry");
    const total = now.dead_letters === undefined ? "" : ` of ${count(now.dead_letters)}`;
    const text = `${count(now.delivered ?? 0)}${total} delivered, ${count(now.calls ?? 0)} calls confirmed`;
    if (now.state === "running") {
      fill(report, element("div", { class: "row" }, element("p", {}, `Sending: ${text}`),
        element("button", { onclick: () => post("/api/deadletters/stop", {}) }, "Stop")));
      return;
    }
    clearInterval(timer);
    const ended = now.state === "failed" ? `The retry ended: ${now.text}` : `${now.stopped ? "Stopped" : "Done"}: ${text}.`;
    fill(report, element("p", {}, ended), left(now), element("button", { onclick: done }, "Look at what is left"));
  });

  const node = element("div", {},
    element("div", { class: "row" },
      element("button", { onclick: look }, "What would a retry do?"),
      element("label", { class: "check" }, irreversible, "with calls that cannot be undone")),
    report);
  irreversible.addEventListener("change", () => fill(report));
  return { node, leave: () => clearInterval(timer) };
}

/** Return the button that takes dead letters off the list. */
export function dismissal(which, all, tell, done) {
  const dismiss = guarded(tell, async () => {
    const what = all === 1 ? "this dead letter" : `these ${count(all)} dead letters`;
    if (!(await confirmed(`Take ${what} off the list without sending? The entries stay where they are, with a note.`, "Dismiss"))) return;
    await post("/api/deadletters/dismiss", { ...which, count: all });
    done();
  });
  return element("div", {}, element("button", { class: "danger", onclick: dismiss }, `Dismiss ${count(all)}`));
}

function left(counts) {
  const rows = Object.entries(LEFT).filter(([name]) => counts[name] > 0);
  return rows.length ? element("ul", {}, rows.map(([name, text]) => element("li", {}, `${count(counts[name])} ${text}`))) : null;
}

/** Ask a person; returns whether they agree. */
function confirmed(question, yes) {
  return new Promise((resolve) => {
    const dialog = element("dialog", { "aria-label": question },
      element("p", {}, question),
      element("form", { method: "dialog", class: "row" },
        element("button", { value: "no" }, "Cancel"), element("button", { value: "yes", class: "primary" }, yes)));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function guarded(tell, act) {
  return async (...given) => {
    try {
      tell(null);
      await act(...given.filter((each) => !(each instanceof Event)));
    } catch (error) {
      tell(error.message);
    }
  };
}
