// Facts about a comparison in words: what is read on the screen and by a screen reader; all points by
// their sets, for who cannot see the plot.
import { button, fill, h, listen } from "../lib/dom.ts";
import { type Check, kindOf, type Words } from "../lib/trust.ts";
import { counted, number, percent } from "../lib/words.ts";
import type { Entry, Point, Space } from "./payload.ts";
import type { Session } from "./session.ts";

export function pointName(space: Space, point: Point): string {
  return `${space.payload.groups[point.set]?.name ?? ""} ${point.number}`;
}

/** To three places, as in the table; a set of one image has no distance within. */
export function distance({ distance }: Entry): string {
  if (distance === null) return "–";
  return distance !== 0 && distance < 0.0005 ? number(distance) : distance.toFixed(3);
}

/** An axis with how much of the variance it explains. */
export function axisName(space: Space, axis: number): string {
  return `PC${axis + 1}  ${percent(space.payload.variance[axis] ?? 0)}`;
}

/** One entry of the table in a sentence. */
export function spoken(space: Space, s: number, t: number): string {
  const { groups, table } = space.payload;
  const [one, other] = [groups[s]?.name ?? "", groups[t]?.name ?? ""];
  const entry = table[s]?.[t];
  if (!entry || entry.distance === null) return `${one} has one image: no distance within`;
  if (s === t) return `Within ${one}: ${distance(entry)}`;
  const said = entry.apart === null ? "" : entry.apart ? ", apart" : ", overlapping";
  const chance = entry.p ? `, ${entry.p}` : "";
  return `Between ${one} and ${other}: ${distance(entry)}${said}${chance}`;
}

/** How far where one image lies can be trusted, in short; nothing where it was not checked. */
export function agreement(words: Words, check: Check | null): string {
  return check ? words.short[kindOf(words, check)] : "";
}

/** What a point is, when one comes to it by keyboard. */
export function told(space: Space, point: Point, chosen: boolean, said: string): string {
  const group = space.payload.groups[point.set];
  const where = point.at.map((value, axis) => `PC${axis + 1} ${number(value)}`).join(", ");
  const facts = `${point.number} of ${counted(group?.images ?? 0, "image")}; ${group?.concept} inferred`;
  const faith = said ? `; ${said}` : "";
  return `${pointName(space, point)}, ${facts}; ${where}${faith}${chosen ? "; chosen" : ""}`;
}

/** All points by their sets, for who cannot see the plot. */
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
      title: told(space, point, on, agreement(session.words, session.check(String(i)))),
      "data-point": i,
    });
    listen(name, { pointerenter: () => session.look(i) });
    return name;
  };
  // of the list as a whole: a button that is written anew is never left
  listen(body, { pointerleave: () => session.look(null) });
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
  listen(element, { toggle: write });
  session.on((change) => change === "arrangement" && write());
  return element;
}
