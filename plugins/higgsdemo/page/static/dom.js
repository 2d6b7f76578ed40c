// Makes elements from data. What comes from a bucket is only ever text: nothing here parses HTML.

/** Makes an element; `attributes` named on<event> are listeners, null and false leave one out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const find = (id) => document.getElementById(id);

/** A long name that may go on in the next line after an underscore. */
export const breakable = (name) =>
  name.split("_").flatMap((part, position) => (position ? ["_", element("wbr"), part] : [part]));

/** Sets an element's text, and leaves the document alone when nothing changes. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Keeps one child for each item: those that are known are updated, new ones made, others removed. */
export function keep(parent, items, key, make, update = () => {}) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, position) => {
    const name = key(item);
    const child = known.get(name) ?? make(item);
    known.delete(name);
    child.dataset.key = name;
    update(child, item);
    if (parent.children[position] !== child) parent.insertBefore(child, parent.children[position] ?? null);
  });
  for (const child of known.values()) child.remove();
}

/** A table's content: `head` are texts; a cell is a text, or a node; the first cell of a row is its header. */
export function fillTable(table, caption, head, rows) {
  const cells = (row) => row.map((cell, column) =>
    element(column ? "td" : "th", column ? {} : { scope: "row" }, cell));
  table.replaceChildren(
    element("caption", { class: "hidden" }, caption),
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))),
  );
}

/**
 * A link to another view of Airflow. Airflow shows this page in a frame that may not lead the window elsewhere
 * itself; a link that stands in Airflow's own document may.
 */
export function airflowLink(href, ...children) {
  return wireAirflowLink(element("a", { href }, ...children));
}

export function wireAirflowLink(link) {
  link.addEventListener("click", (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.target = link.target;
    window.parent.document.body.append(outside);
    outside.click();
    outside.remove();
  });
  return link;
}
