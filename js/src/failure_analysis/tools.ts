// How the brush covers: cover or uncover, with what, how large; take back and clear.
import { choiceOf } from "../lib/controls.ts";
import { button, h } from "../lib/dom.ts";
import { LARGEST, type Session, SMALLEST } from "./session.ts";
import { FILLS, KEYS } from "./words.ts";

const SAVED = "Opened from saved evidence: to cover other regions takes the model.";

export function tools(session: Session): HTMLElement {
  if (!session.live) return h("p", { class: "hx-brush-note" }, SAVED);
  const uncovers = choiceOf(
    "What the brush does",
    [
      ["cover", "Cover"],
      ["uncover", "Uncover"],
    ],
    (what) => session.arrange({ uncovers: what === "uncover" }),
  );
  const names = [...Object.keys(session.model.get("fills"))];
  const fill = choiceOf(
    "What covers",
    names.map((name) => [name, FILLS[name] ?? name] as const),
    (name) => session.fillWith(name),
  );
  const size = h("input", { type: "range", min: SMALLEST, max: LARGEST, "aria-label": "Brush" });
  size.addEventListener("input", () => session.resize(Number(size.value)));
  const undo = button("Undo", () => session.undo());
  const clear = button("Clear", () => session.clear());
  const show = () => {
    uncovers.show(session.uncovers ? "uncover" : "cover");
    fill.show(session.fill);
    size.value = String(session.size);
    undo.disabled = !session.canUndo;
    clear.disabled = session.share === 0;
  };
  session.on((told) => {
    if (told === "tools" || told === "mask") show();
  });
  show();
  return h(
    "div",
    { class: "hx-brush-tools", role: "toolbar", "aria-label": "The brush" },
    h("div", { class: "hx-brush-row" }, uncovers.element, undo, clear),
    h("div", { class: "hx-brush-row" }, h("span", {}, "with"), fill.element),
    h("label", { class: "hx-brush-row" }, h("span", {}, "Brush"), size),
    h("p", { class: "hx-brush-note" }, KEYS),
  );
}
