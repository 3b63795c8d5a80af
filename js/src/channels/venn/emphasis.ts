// Regions that are brought out: the chosen one, the one under the pointer, the chosen channel's.
import type { Session } from "./session.ts";

/** Bring out the shapes of regions, each by its region's key. */
export function emphasise(shapes: ReadonlyMap<string, Element>, session: Session): void {
  const { region, marked, hovered } = session;
  for (const [key, shape] of shapes) {
    shape.classList.toggle("hx-on", key === region?.key);
    shape.classList.toggle("hx-hovered", key === hovered?.key);
    shape.classList.toggle("hx-marked", key === marked?.key);
    shape.setAttribute("aria-pressed", String(key === region?.key));
  }
}
