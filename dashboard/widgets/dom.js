// Making elements, and keeping a list of them in step with data. The page writes to the document in this
// way only: text becomes text, whatever it holds; there is no markup in strings anywhere.

const PROPERTIES = new Set(["value", "checked", "disabled", "indeterminate", "hidden", "open"]);

/**
 * Make an element. Props beginning with `on` are listeners, null and false leave a prop or child out.
 * @param {string} tag
 * @param {Object<string, any>} [props]
 * @param {...(Node|string|number|null|false|Array)} children
 */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (PROPERTIES.has(name)) node[name] = value;
    else if (value == null || value === false) continue;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  append(node, ...children);
  return node;
}

/** Make an element of SVG; props are attributes. */
export function svg(tag, props, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props ?? {})) node.setAttribute(name, value);
  append(node, ...children);
  return node;
}

/** Append children to a node; what is null or false is left out. */
function append(node, ...children) {
  node.append(...children.flat(3).filter((child) => child != null && child !== false));
}

/** Replace all that a node holds. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, ...children);
}

/** Set a text if it is another one: what did not change is not laid out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Bring the children of `parent` in line with `items`, keeping the rows that stay and their focus.
 * @param {Element & {rows?: Map}} parent holds nothing but such rows
 * @param {Array} items in the order wanted
 * @param {(item) => string} key
 * @param {(item) => {node: Element, update?: (item) => void}} make
 */
export function syncRows(parent, items, key, make) {
  const rows = (parent.rows ??= new Map());
  const wanted = new Set(items.map(key));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.node.remove();
    rows.delete(id);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let row = rows.get(id);
    if (row) row.update?.(item);
    else rows.set(id, (row = make(item)));
    if (row.node === place) place = place.nextElementSibling;
    else parent.insertBefore(row.node, place);
  }
}

let ids = 0;

/** Return an id that nothing else in the document has. */
export const freshId = () => `i${++ids}`;
