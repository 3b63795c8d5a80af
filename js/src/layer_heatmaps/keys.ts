// The keyboard: one key, one act.
import { KeySheet, type Keys, modified, take } from "../lib/controls.ts";
import { SCALES } from "./controls.ts";
import type { HeatGrid } from "./grid.ts";
import type { Selected, Session } from "./session.ts";

const KEYS: Keys = [
  ["← → ↑ ↓", "to the map beside, above or below"],
  ["Home  End", "to the deepest and the shallowest layer"],
  ["Enter  Space", "pin the map, or let go of it"],
  ["1 … 5", "choose a method"],
  ["c", "another colour scale"],
  ["s", "both signs, or what speaks for the class alone"],
  ["b", "boxes on or off"],
  ["p", "each class against others, or alone: the plain sum"],
  ["Delete", "take the class away"],
  ["?", "show or hide these keys"],
  ["Esc", "cancel, let go of the pin, close"],
];

export class MapKeys {
  readonly sheet: KeySheet;

  constructor(
    private readonly session: Session,
    private readonly grid: HeatGrid,
  ) {
    this.sheet = new KeySheet(KEYS, () => grid.focus());
  }

  press(event: KeyboardEvent): void {
    if (modified(event)) return;
    if (event.target instanceof HTMLInputElement) return;
    const place = this.grid.placeOf(event.target);
    const done = (place && this.onMap(event.key, place)) || this.anywhere(event.key);
    if (done) take(event);
  }

  private onMap(key: string, place: Selected): boolean {
    if (this.grid.move(place, key)) return true;
    const { session } = this;
    if (key === "Enter" || key === " ") session.pin(place);
    else if (key === "Delete" && session.arrangement.classes.length > 1)
      session.arrangement.remove(place[0]);
    else return false;
    return true;
  }

  private anywhere(key: string): boolean {
    const { session } = this;
    const { arrangement } = session;
    const method = session.sheet.payload.methods[Number(key) - 1];
    const scales = SCALES.map(([scale]) => scale);
    const next = scales[(scales.indexOf(arrangement.scale) + 1) % scales.length] ?? "map";
    if (method) session.show(method.name);
    else if (key === "c") arrangement.change({ scale: next });
    else if (key === "s") arrangement.change({ signed: !arrangement.signed });
    else if (key === "b") arrangement.change({ boxes: !arrangement.boxes });
    else if (key === "p" && session.kinds.length > 1)
      arrangement.change({ plain: session.contested });
    else if (key === "?") this.sheet.toggle();
    else if (key === "Escape") this.letGo();
    else return false;
    return true;
  }

  private letGo(): void {
    const { session } = this;
    if (session.kernel.busy.length > 0) session.cancel();
    else if (session.arrangement.pinned) session.arrangement.change({ pinned: false });
  }
}
