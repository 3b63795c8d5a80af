// Heatmaps of one image: classes below each other, layers beside each other, one map large.
import "./layer_heatmaps.css";
import type { AnyModel } from "@anywidget/types";
import { h, onceSeen } from "../lib/dom.ts";
import { type Banner, view, workLine, workOf } from "../lib/view.ts";
import { Header, Legend, Toolbar } from "./controls.ts";
import { HeatGrid } from "./grid.ts";
import { MapKeys } from "./keys.ts";
import { Panel } from "./panel.ts";
import { mapChecks, Session, type State } from "./session.ts";
import { methodLabel } from "./words.ts";

const WORK = { refit: "Refitting", check: "Checking against ablation" };

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const grid = new HeatGrid(session);
  const checks = mapChecks(session);
  const panel = new Panel(session, checks);
  const keys = new MapKeys(session, grid);
  const foot = h("div", { class: "hx-foot" }, new Legend(session).element, keys.sheet.hint);
  const main = h("div", { class: "hx-main" }, new Toolbar(session).element, grid.element, foot);
  const work = workLine(
    session,
    () => said(session),
    () => session.cancel(),
  );
  main.append(keys.sheet.element);
  root.append(new Header(session).element, h("div", { class: "hx-body" }, panel.element, main));
  root.prepend(work);
  root.addEventListener("keydown", (event) => keys.press(event));
  onceSeen(main, () => {
    session.wantMaps();
    checks.start();
  });
  void session.load().catch((error) => banner.show(error));
  return () => {
    for (const part of [grid, panel, session]) part.close();
    root.remove();
  };
}

/** What the kernel is doing for the view. */
function said(session: Session): string | null {
  const drawing = `Drawing ${methodLabel(session.arrangement.method)}`;
  return workOf(session.kernel, { ...WORK, maps: drawing, choose: drawing });
}

export default view("layer_heatmaps", "hx-heatmaps", build);
