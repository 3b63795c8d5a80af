// Inferences of sets of images as points in space, beside the table of their distances.
import "./inference_space.css";
import type { AnyModel } from "@anywidget/types";
import { type Checks, FaithLine } from "../lib/checks.ts";
import { h } from "../lib/dom.ts";
import { type Banner, view, workLine } from "../lib/view.ts";
import { counted } from "../lib/words.ts";
import { Bursts, lacking } from "./bursts.ts";
import { PlotKeys, tools } from "./controls.ts";
import { legend } from "./markers.ts";
import { Plot } from "./plot.ts";
import { pointChecks, Session, type State } from "./session.ts";
import { Table } from "./table.ts";
import { pointList } from "./words.ts";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const complain = (error: unknown) => banner.show(error);
  const session = new Session(model, complain);
  const plot = new Plot(session);
  const keys = new PlotKeys(session, plot);
  const bursts = new Bursts(session, complain);
  const { payload } = session.space;
  const side = h(
    "div",
    { class: "hx-space-side" },
    h("div", { class: "hx-verdict" }, ...payload.verdict.map((line) => h("p", {}, line))),
    legend(session),
    new Table(session).element,
    h("div", { class: "hx-remarks" }, ...payload.remarks.map((line) => h("p", {}, line))),
  );
  const main = h(
    "div",
    { class: "hx-space-main" },
    plot.element,
    tools(session, plot, keys.sheet.hint),
  );
  const checks = pointChecks(session);
  root.append(header(session, checks), h("div", { class: "hx-space-body" }, main, side));
  root.append(bursts.element, pointList(session), keys.sheet.element);
  root.prepend(workLine(session, () => inferring(session)));
  void session.load();
  checks.start();
  return () => {
    for (const part of [plot, bursts, session]) part.close();
    root.remove();
  };
}

/** What the kernel infers for the view; checks are said where they stand. */
function inferring(session: Session): string | null {
  return session.kernel.busy.includes("infer") ? `Inferring concepts of ${lacking(session)}` : null;
}

function header(session: Session, checks: Checks<number>): HTMLElement {
  const { space } = session;
  const { groups, level } = space.payload;
  const names = [...new Set(groups.map((one) => one.concept))];
  const title = h(
    "h2",
    { class: "hx-title" },
    h("span", { class: "hx-why" }, names.length > 1 ? "How are " : "How is "),
    ...names.flatMap((name, i) => [
      i > 0 && h("span", {}, i < names.length - 1 ? ", " : " and "),
      h("b", {}, name),
    ]),
    h("span", { class: "hx-why" }, " inferred?"),
    h("small", {}, `${counted(space.points.length, "image")} · ${level} level`),
  );
  return h("header", { class: "hx-header" }, h("div", {}, title, faith(session, checks)));
}

/** How far the inferences of all images agree with ablation. */
function faith(session: Session, checks: Checks<number>): HTMLElement {
  const { space } = session;
  const line = new FaithLine(
    session.words,
    () => ({ what: "where these points lie" }),
    () => void checks.run(...space.points.keys()),
  );
  const write = () => {
    const every = [...space.points.keys()];
    line.show(session.check("all"), checks.state(...every), checks.needs(...every));
  };
  session.on((change) => change === "checks" && write());
  write();
  return line.element;
}

export default view("inference_space", "hx-inference-space", build);
