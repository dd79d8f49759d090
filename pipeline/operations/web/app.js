// The page: its views, and which one is shown.

import { Refused, openSession } from "/web/api.js";
import { element, fill } from "/web/dom.js";

const VIEWS = {
  live: { title: "Live", load: () => import("/web/live.js") },
  playground: { title: "Playground", load: () => import("/web/playground.js") },
  deadletters: { title: "Dead letters", load: () => import("/web/deadletters.js") },
  person: { title: "Person", load: () => import("/web/person.js") },
};

const main = document.getElementById("main");
const notice = document.getElementById("notice");
let leave = () => {};

/** Say what went wrong, or nothing. */
export function tell(text) {
  notice.textContent = text ?? "";
  notice.hidden = !text;
}

async function show(session) {
  const asked = location.hash.slice(1).split("/")[0];
  const name = session.views.includes(asked) ? asked : session.views[0];
  if (asked === "main") return; // the link that skips the navigation
  for (const link of document.querySelectorAll("#views a")) {
    link.toggleAttribute("aria-current", link.hash === `#${name}`);
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
  }
  leave();
  leave = () => {};
  tell(null);
  document.title = `${VIEWS[name].title} - cio-pipeline`;
  const view = await VIEWS[name].load();
  fill(main);
  leave = (await view.open(main, { session, tell, rest: location.hash.split("/").slice(1).join("/") })) ?? (() => {});
}

async function start() {
  const session = await openSession();
  document.getElementById("version").textContent = session.version;
  document.getElementById("logout").hidden = !session.has_token;
  const links = session.views.map((name) => element("a", { href: `#${name}` }, VIEWS[name].title));
  fill(document.getElementById("views"), links);
  addEventListener("hashchange", () => show(session).catch(complain));
  await show(session);
}

function complain(error) {
  if (error.name === "AbortError") return;
  tell(error instanceof Refused ? error.message : "The server does not answer. Is the pipeline still running?");
}

start().catch(complain);
