// Elements, made of text: nothing that comes from an event is ever read as markup.

/** Return an element. `attributes` may hold `class`, `on…` listeners and any attribute; children are nodes or texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return an element of SVG. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") made.style.cssText = value; // as an attribute the page's policy forbids it
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
}

/** Put these children in place of what is there. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

/** Make the children of a parent like these, and keep every element that need not change: focus and scrolling stay. */
export function renew(parent, ...children) {
  const wanted = children.flat().filter((child) => child !== null && child !== undefined);
  wanted.forEach((made, index) => {
    const old = parent.childNodes[index];
    if (old === undefined) parent.append(made);
    else if (old !== made) become(old, made);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

function become(old, made) {
  if (old.nodeName !== made.nodeName) {
    old.replaceWith(made);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
  } else {
    for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) set(old, { [name]: value });
    renew(old, [...made.childNodes]);
  }
}

/** Return a card: a section with a heading. */
export function card(title, ...children) {
  return element("section", { class: "card" }, element("h2", {}, title), ...children.flat());
}

/** Return a table; the columns named in `numeric` are aligned to the right. */
export function table(names, rows, numeric = []) {
  const cell = (kind, index, content) =>
    element(kind, { class: numeric.includes(names[index]) ? "number" : null, scope: kind === "th" ? "col" : null }, content);
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": names.join(", ") },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, names.map((name, index) => cell("th", index, name)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((part, index) => cell("td", index, part))))),
    ),
  );
}

/** Return JSON, indented, as preformatted text. */
export function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}
