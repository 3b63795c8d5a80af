// A row is brought out with all that is linked to it while the pointer or the keyboard is on it.
import type { Session, Spot } from "./session.ts";

export function bringOut(row: HTMLElement, session: Session, spot: Spot): void {
  for (const event of ["pointerenter", "focusin"])
    row.addEventListener(event, () => session.hover(spot));
  for (const event of ["pointerleave", "focusout"])
    row.addEventListener(event, () => session.hover(null));
}
