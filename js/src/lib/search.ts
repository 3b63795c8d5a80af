// A text field that finds names as one types: a combobox with a list, by keyboard and pointer.
import { h, setAttribute } from "./dom.ts";

const MOST = 8;
let made = 0;

export interface Found {
  index: number;
  name: string;
}

/** Names that contain the words typed, those that begin with them first; a number is an index,
 * unless names have numbers of their own. */
export function find(
  names: readonly string[],
  typed: string,
  most = MOST,
  indexed = true,
): Found[] {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [];
  const all = names.map((name, index) => ({ index, name }));
  const first = all.filter((one) => one.name.toLowerCase().startsWith(wanted));
  const rest = all.filter((one) => !first.includes(one) && one.name.toLowerCase().includes(wanted));
  const numbered =
    indexed && /^\d+$/.test(wanted) ? all.slice(Number(wanted), Number(wanted) + 1) : [];
  return [...new Set([...numbered, ...first, ...rest])].slice(0, most);
}

export function searchField(
  label: string,
  names: readonly string[],
  choose: (found: string | number) => void,
  indexed = true,
): HTMLElement {
  const id = `hx-search-${++made}`;
  const input = h("input", {
    type: "text",
    role: "combobox",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    placeholder: label,
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = h("ul", { id, role: "listbox", "aria-label": label, hidden: true });
  let found: Found[] = [];
  let active = 0;

  function show(): void {
    found = find(names, input.value, MOST, indexed);
    active = 0;
    list.replaceChildren(
      ...found.map(({ index, name }, i) => {
        const option = h("li", { role: "option", id: `${id}-${i}` }, name);
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          take(index);
        });
        return option;
      }),
    );
    mark();
  }

  function mark(): void {
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    setAttribute(input, "aria-activedescendant", found.length > 0 ? `${id}-${active}` : null);
    for (const [i, option] of [...list.children].entries())
      option.setAttribute("aria-selected", String(i === active));
  }

  function take(choice: string | number): void {
    input.value = "";
    show();
    choose(choice);
  }

  // without a match the kernel is asked all the same: it names the nearest classes
  function typedChoice(): string | number {
    const typed = input.value.trim();
    return found[active]?.index ?? (indexed && /^\d+$/.test(typed) ? Number(typed) : typed);
  }

  input.addEventListener("input", show);
  input.addEventListener("blur", () => {
    found = [];
    mark();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      active = (active + step + found.length) % found.length;
      mark();
    } else if (event.key === "Enter" && input.value.trim()) take(typedChoice());
    else if (event.key === "Escape" && input.value) {
      input.value = "";
      show();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return h("div", { class: "hx-search" }, input, list);
}
