// Heatmaps of one image: classes below each other, layers beside each other, one map large.
import type { AnyModel } from "@anywidget/types";
import "./layer_heatmaps.css";
import type { Banner } from "../lib/banner.ts";
import { button, fill, h } from "../lib/dom.ts";
import { view } from "../lib/view.ts";
import { type MapChecks, mapChecks } from "./checking.ts";
import { Header, Legend, Toolbar } from "./controls.ts";
import { HeatGrid } from "./grid.ts";
import { MapKeys } from "./keys.ts";
import { Panel } from "./panel.ts";
import { Session, type State } from "./session.ts";
import { methodLabel } from "./words.ts";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const grid = new HeatGrid(session);
  const checks = mapChecks(session);
  const panel = new Panel(session, checks);
  const keys = new MapKeys(session, grid);
  const foot = h("div", { class: "hx-foot" }, new Legend(session).element, keys.sheet.hint);
  const main = h("div", { class: "hx-main" }, new Toolbar(session).element, grid.element, foot);
  main.append(workLine(session), keys.sheet.element);
  root.append(new Header(session).element, h("div", { class: "hx-body" }, panel.element, main));
  root.addEventListener("keydown", (event) => keys.press(event));
  fetchWhenSeen(session, main, checks);
  void session.load().catch((error) => banner.show(error));
  return () => {
    for (const part of [grid, panel, session]) part.close();
    root.remove();
  };
}

/** What the kernel is doing, and a way to give it up. */
function workLine(session: Session): HTMLElement {
  const line = h("div", { class: "hx-work", role: "status", hidden: true });
  let shown: string | null = null;
  session.on(() => {
    const kind = session.kernel.busy[0] ?? null;
    if (kind === shown) return;
    shown = kind;
    line.hidden = kind === null;
    if (kind === null) {
      fill(line);
      return;
    }
    const drawing = `Drawing ${methodLabel(session.arrangement.method)}`;
    const work = { refit: "Refitting", check: "Checking against ablation" }[kind] ?? drawing;
    fill(
      line,
      h("span", {}, `${work} …`),
      button("Cancel", () => session.cancel()),
    );
  });
  return line;
}

function fetchWhenSeen(session: Session, part: Element, checks: MapChecks): void {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    session.wantMaps();
    checks.start();
  });
  watch.observe(part);
}

export default view("layer_heatmaps", "hx-heatmaps", build);
