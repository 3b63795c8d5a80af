// What is explained, and another class to explain.

import { FaithLine, lowest } from "../lib/checks.ts";
import { searchField } from "../lib/controls.ts";
import { fill, h } from "../lib/dom.ts";
import type { Wording } from "../lib/trust.ts";
import { counted, number, percent } from "../lib/words.ts";
import { type ConceptChecks, type Session, spots, wording } from "./session.ts";

export function header(session: Session, checks: ConceptChecks): HTMLElement {
  const title = h("h2", { class: "hx-title" });
  const line = new FaithLine(
    session.words,
    () => wordingOf(session, least(session, checks)),
    () => void checks.run(...spots(session.inference.root)),
  );
  const writeFaith = () => {
    const { root } = session.inference;
    const all = root.known.map((part) => ({ concept: root, part }));
    const found = least(session, checks);
    line.show(found?.check ?? null, checks.state(...all), checks.needs(...all));
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
  const heading = h("div", {}, title, line.element);
  return h("header", { class: "hx-header" }, heading, h("div", { class: "hx-tools" }, search));
}

/** The decision that agrees least of all that are side by side, once all are known. */
function least({ inference, sets }: Session, checks: ConceptChecks) {
  const { root } = inference;
  const all = root.known.map((part) => ({
    name: sets[part.set]?.name ?? "",
    check: checks.check({ concept: root, part }),
    part,
  }));
  const found = all.every((one) => one.check) ? lowest(all) : null;
  return found && { ...found, part: all.find((one) => one.check === found.check)?.part };
}

function wordingOf({ inference, sets }: Session, found: ReturnType<typeof least>): Wording {
  const [first] = inference.root.known;
  const part = found?.part ?? (sets.length === 1 ? first : undefined);
  const said = part ? wording(part) : { what: "the weighing of the channels" };
  return sets.length > 1 ? { ...said, subject: found?.subject } : said;
}

function told({ target, images }: Session["sets"][number]): string {
  if (images > 0) return counted(images, "image");
  return `${percent(target.probability)} · logit ${number(target.logit)}`;
}
