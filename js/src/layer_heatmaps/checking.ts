// The map looked at is checked against ablation where it is a sum over channels.
import { type Checkable, Checking } from "../lib/checking.ts";
import type { Check, State } from "../lib/faith.ts";
import type { Selected } from "./arrangement.ts";
import type { Session } from "./session.ts";
import { spotOf } from "./sheet.ts";

const SUMMED = ["CHIP", "Grad-CAM"];

export class MapChecks {
  private readonly checking: Checking;

  constructor(private readonly session: Session) {
    const wishes = {
      told: () => session.tell("checks"),
      wanted: () => (session.hovered === null ? [this.asked()] : []).filter((one) => one !== null),
    };
    this.checking = new Checking(session, wishes);
  }

  start(): void {
    this.session.on((change) => {
      if (change === "sheet") this.checking.forget();
      this.checking.consider();
    });
    this.checking.start();
  }

  /** What the map looked at is, to the kernel; null where it is no sum or is not there. */
  private asked(place: Selected | null = this.session.current): Checkable | null {
    const { method } = this.session.arrangement;
    const summed = place !== null && SUMMED.includes(method) && this.session.cell(place);
    if (!summed || typeof place[0] !== "number") return null;
    const [target, layer] = place;
    return { key: spotOf(method, target, layer), fields: { method, target, layer } };
  }

  get check(): Check | null {
    const one = this.asked();
    return one && this.session.check(one.key);
  }

  /** How the check of what is looked at stands; null where it has none. */
  get state(): State | null {
    const one = this.asked();
    return one && this.checking.state(one.key);
  }

  run(): void {
    const one = this.asked();
    if (one) void this.checking.run(one);
  }
}
