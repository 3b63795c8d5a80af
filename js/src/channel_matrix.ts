// Channel importance: classes by channels as a heatmap that can be sorted, moved and zoomed.
import type { AnyModel } from "@anywidget/types";
import "./channel_matrix.css";
import { workLine } from "./channels/parts.ts";
import { Banner } from "./lib/banner.ts";
import { h, ownKeys } from "./lib/dom.ts";
import { Grid } from "./matrix/grid.ts";
import { Session, type State } from "./matrix/session.ts";
import { Table } from "./matrix/table.ts";
import { Foot, header, toolbar } from "./matrix/tools.ts";

const WORK = { layer: "Reading another layer" };

function render({ model, el }: { model: AnyModel<State>; el: HTMLElement }): () => void {
  const banner = new Banner();
  const root = h("div", { class: "hx-view hx-channel-matrix" }, banner.element);
  ownKeys(root);
  el.classList.add("hx-in-channel_matrix");
  el.append(root);
  try {
    return build(model, root, banner);
  } catch (error) {
    banner.show(`The view could not be drawn: ${error instanceof Error ? error.message : error}`);
    return () => root.remove();
  }
}

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const grid = new Grid(session);
  const foot = new Foot(session);
  const table = new Table(session);
  const work = workLine(WORK);
  root.append(
    header(session),
    toolbar(session, grid),
    grid.element,
    foot.element,
    table.element,
    work.element,
  );
  session.on((change) => change === "busy" && work.show(session.kernel));
  void session.load();
  return () => {
    for (const part of [grid, foot, session]) part.close();
    root.remove();
  };
}

export default { render };
