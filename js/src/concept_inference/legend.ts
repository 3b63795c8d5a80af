// What lines, outlines and marks stand for, and what is missing where nothing was found.
import { fill, h } from "../lib/dom.ts";
import type { Session } from "./session.ts";

export function legend(session: Session): HTMLElement {
  const element = h("div", { class: "hx-legend" });
  const update = () => {
    const { sets, inference } = session;
    const against = inference.payload.parts.weight.some((weight) => weight < 0);
    fill(
      element,
      sets.length > 1 &&
        h("p", { class: "hx-set-names" }, ...sets.map((_, i) => setName(session, i))),
      sets.length > 1 && outlines(),
      h(
        "p",
        {},
        "Links are as wide as contribution weights",
        against && ", ",
        against && dashed(),
        ".",
      ),
      h("p", {}, "AP: held-out average precision; the tick is what a guess would reach."),
      inference.root.children.length === 0 &&
        h("p", { class: "hx-empty" }, "No concept was found that the decision rests on."),
    );
  };
  session.on((change) => change === "inference" && update());
  update();
  return element;
}

function dashed(): HTMLElement {
  return h("span", { class: "hx-against" }, "dashed and blue where a concept speaks against");
}

function setName(session: Session, i: number): HTMLElement {
  const dot = h("i", { class: "hx-set-dot" });
  dot.style.background = `var(--hx-set-${i})`;
  const set = session.sets[i];
  const images = set && set.images > 0 ? ` (${set.images} images)` : "";
  return h("span", { class: "hx-set-name" }, dot, `${set?.name}${images}`);
}

function outlines(): HTMLElement {
  const key = (name: string, text: string) =>
    h("span", { class: "hx-outline-key" }, h("i", { class: name }), text);
  return h(
    "p",
    { class: "hx-outlines" },
    key("hx-shared", "shared by all"),
    key("hx-some", "by some"),
    key("hx-own", "one's own, in its colour"),
  );
}
