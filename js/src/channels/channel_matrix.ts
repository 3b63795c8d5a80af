// Channel importance: classes by channels as a heatmap that can be sorted, moved and zoomed.
import "./channel_matrix.css";
import type { AnyModel } from "@anywidget/types";
import { type Banner, view, workLine, workOf } from "../lib/view.ts";
import { agreementLine, ClassChecks } from "./agreement.ts";
import { Grid } from "./matrix/grid.ts";
import { Session, type State } from "./matrix/session.ts";
import { Table } from "./matrix/table.ts";
import { Foot, header, toolbar } from "./matrix/tools.ts";

const WORK = {
  classes: "Reading another class",
  layer: "Reading another layer",
  check: "Checking against ablation",
};

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const chosen = () => [session.row];
  const checks = new ClassChecks(session, chosen);
  const grid = new Grid(session);
  const foot = new Foot(session);
  const table = new Table(session, checks);
  const work = workLine(session, () => workOf(session.kernel, WORK));
  root.append(
    header(session, agreementLine(session, checks, chosen)),
    toolbar(session, grid),
    grid.element,
    foot.element,
    table.element,
  );
  root.prepend(work);
  void session.load();
  checks.start();
  return () => {
    for (const part of [grid, foot, session]) part.close();
    root.remove();
  };
}

export default view("channel_matrix", "hx-channel-matrix", build);
