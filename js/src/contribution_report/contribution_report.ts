// What each concept added to a score: images side by side, each with a waterfall, bars or a pie.
import "./contribution_report.css";
import type { AnyModel } from "@anywidget/types";
import { type Banner, view, workLine, workOf } from "../lib/view.ts";
import { Cards } from "./cards.ts";
import { header } from "./header.ts";
import { pressAnywhere } from "./keys.ts";
import { Session, type State } from "./session.ts";
import { Table } from "./table.ts";

const WORK = { add: "Explaining the image", remove: "Removing the image" };

function build(model: AnyModel<State>, root: HTMLElement, banner: Banner): () => void {
  const session = new Session(model, (error) => banner.show(error));
  const cards = new Cards(session);
  const work = workLine(session, () => workOf(session.kernel, WORK));
  root.append(header(session), cards.element, new Table(session).element);
  root.prepend(work);
  root.addEventListener("keydown", (event) => pressAnywhere(session, event));
  void session.load();
  return () => {
    cards.close();
    session.close();
    root.remove();
  };
}

export default view("contribution_report", "hx-contributions", build);
