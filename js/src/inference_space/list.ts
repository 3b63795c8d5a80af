// The same in words: all points by their sets, for who cannot see the plot.
import { button, fill, h } from "../lib/dom.ts";
import type { Session } from "./session.ts";
import { pointName, told } from "./words.ts";

export function pointList(session: Session): HTMLElement {
  const { space } = session;
  const body = h("div", {});
  const element = h("details", { class: "hx-as-list" }, h("summary", {}, "All points as a list"));
  element.append(body);
  const entry = (i: number) => {
    const point = session.point(i);
    const on = session.points.includes(i);
    const name = button(pointName(space, point), () => session.choose(i, true), {
      "aria-pressed": String(on),
      title: told(space, point, on, session.check(String(i))),
      "data-point": i,
    });
    name.addEventListener("pointerenter", () => session.look(i));
    return name;
  };
  // of the list as a whole: a button that is written anew is never left
  body.addEventListener("pointerleave", () => session.look(null));
  // written when it is first opened, and whenever other points are chosen
  const write = () => {
    if (!element.open) return;
    const focus = (document.activeElement as HTMLElement | null)?.dataset?.point;
    const groups = space.payload.groups.map((group, set) => {
      const places = space.points.flatMap((point, i) => (point.set === set ? [i] : []));
      return h("div", {}, h("h4", {}, group.name), h("p", {}, ...places.map(entry)));
    });
    fill(body, ...groups);
    body.querySelector<HTMLElement>(`[data-point="${Number(focus ?? -1)}"]`)?.focus();
  };
  element.addEventListener("toggle", write);
  session.on((change) => change === "arrangement" && write());
  return element;
}
