// The keyboard: along the rows of a chart, over to the next image, choose, clear; Grad-CAM anywhere.
import { modified, press } from "../lib/controls.ts";
import type { Session, Spot } from "./session.ts";

/** Move along `spots` from the one looked at; `across` turns to the same row of another image. */
export function walk(
  session: Session,
  event: KeyboardEvent,
  spots: readonly Spot[],
  go: (spot: Spot) => void,
  across: (by: number) => void,
): void {
  const at = session.current === null ? -1 : spots.indexOf(session.current);
  const to = (i: number) => () => {
    const spot = spots[Math.min(spots.length - 1, Math.max(0, i))];
    if (spot !== undefined) go(spot);
  };
  const choose = () => at >= 0 && session.choose(spots[at] as Spot);
  press(event, {
    ArrowDown: to(at + 1),
    ArrowUp: to(at < 0 ? spots.length - 1 : at - 1),
    Home: to(0),
    End: to(spots.length - 1),
    ArrowRight: () => across(1),
    ArrowLeft: () => across(-1),
    Enter: choose,
    " ": choose,
    Escape: () => {
      session.clear();
      session.hover(null);
    },
  });
}

/** Keys that hold anywhere in the view. */
export function pressAnywhere(session: Session, event: KeyboardEvent): void {
  if (modified(event) || event.key.toLowerCase() !== "g") return;
  if (session.cards.length === 0) return;
  event.preventDefault();
  session.turnAttention();
}
