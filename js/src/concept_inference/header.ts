// What is explained, and another class to explain.

import { FaithLine, lowest } from "../lib/checks.ts";
import { searchField } from "../lib/controls.ts";
import { fill, h } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import { type ConceptChecks, type Session, spots, WORDING } from "./session.ts";

export function header(session: Session, checks: ConceptChecks): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const found = () => least(session, checks);
  const wording = () => {
    const subject = session.sets.length > 1 ? found()?.subject : undefined;
    return subject === undefined ? WORDING : { ...WORDING, subject };
  };
  const faith = new FaithLine(wording, () => void checks.run(...spots(session.inference.root)));
  const writeFaith = () => {
    const { root } = session.inference;
    const all = root.known.map((part) => ({ concept: root, part }));
    faith.show(found()?.check ?? null, checks.state(...all));
  };
  const update = () => {
    const { sets } = session;
    const names = [...new Set(sets.map((one) => one.target.name))];
    const [first] = sets;
    const alone = first && sets.length === 1 ? first : null;
    fill(
      title,
      h("span", { class: "hx-why" }, "Why "),
      ...names.flatMap((name, i) => [i > 0 && h("span", {}, ", "), h("b", {}, name)]),
      h("span", { class: "hx-why" }, "?"),
      h("small", {}, alone ? told(alone) : `${sets.length} side by side`),
    );
  };
  session.on((change) => change === "inference" && update());
  session.on((change) => (change === "inference" || change === "checks") && writeFaith());
  update();
  writeFaith();
  const search =
    session.live &&
    searchField("Explain another class", session.model.get("classes"), (target) =>
      session.explain(target),
    );
  const heading = h("div", {}, title, faith.element);
  return h("header", { class: "hx-header" }, heading, h("div", { class: "hx-tools" }, search));
}

/** The decision that agrees least of all that are side by side, once all are known. */
function least({ inference, sets }: Session, checks: ConceptChecks) {
  const { root } = inference;
  const all = root.known.map((part) => ({
    name: sets[part.set]?.name ?? "",
    check: checks.check({ concept: root, part }),
  }));
  return all.every((one) => one.check) ? lowest(all) : null;
}

function told({ target, images }: Session["sets"][number]): string {
  if (images > 0) return `${images} images`;
  return `${percent(target.probability)} · logit ${number(target.logit)}`;
}
