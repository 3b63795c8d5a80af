// The same in words: a nested list of all concepts, for who cannot see the drawing.
import { fill, h } from "../lib/dom.ts";
import type { Concept } from "./payload.ts";
import type { Session } from "./session.ts";
import { spoken } from "./words.ts";

export function conceptList(session: Session): HTMLElement {
  const body = h("div", {});
  const element = h("details", { class: "hx-as-list" }, h("summary", {}, "All concepts as a list"));
  element.append(body);
  const entry = (concept: Concept): HTMLElement => {
    const text = h("span", {}, spoken(concept, session.inference));
    const below = concept.children.length > 0 && h("ul", {}, ...concept.children.map(entry));
    return h("li", {}, text, below);
  };
  // written when it is first opened, and after every new inference
  const write = () => {
    if (element.open) fill(body, h("ul", {}, entry(session.inference.root)));
  };
  element.addEventListener("toggle", write);
  session.on((change) => change === "inference" && write());
  return element;
}
