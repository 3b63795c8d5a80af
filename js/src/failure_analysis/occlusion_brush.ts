// An image to cover with a brush, beside the scores of two classes that move with it.
import "./occlusion_brush.css";
import type { AnyModel } from "@anywidget/types";
import { h } from "../lib/dom.ts";
import { type Banner, view } from "../lib/view.ts";
import { Pad } from "./pad.ts";
import { ScoreBars } from "./scores.ts";
import { Session, type State } from "./session.ts";
import { tools } from "./tools.ts";

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const pad = new Pad(session);
  const side = h("div", { class: "hx-brush-side" }, new ScoreBars(session).element, tools(session));
  root.append(h("div", { class: "hx-brush-body" }, pad.element, side));
  void session.load();
  return () => {
    session.close();
    root.remove();
  };
}

export default view("occlusion_brush", "hx-brush", build);
