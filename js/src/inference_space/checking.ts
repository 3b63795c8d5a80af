// Which points are checked against ablation: those chosen, then all, as long as it is quick.
import { type Checkable, Checking } from "../lib/checking.ts";
import type { Check, State } from "../lib/faith.ts";
import type { Session } from "./session.ts";

export class PointChecks {
  private readonly checking: Checking;

  constructor(private readonly session: Session) {
    const wishes = {
      told: () => session.tell("checks"),
      wanted: () => [...session.points, ...session.space.points.keys()].map(asked),
    };
    this.checking = new Checking(session, wishes);
    session.on(() => this.checking.consider());
  }

  start(): void {
    this.checking.start();
  }

  /** How the checks of all points stand. */
  get state(): State {
    const states = [...this.session.space.points.keys()].map((i) => this.checking.state(String(i)));
    return states.find((one) => one !== "idle") ?? "idle";
  }

  /** Check every point that was not checked yet; a cancel ends it. */
  runAll(): Promise<void> {
    return this.checking.runAll([...this.session.space.points.keys()].map(asked));
  }
}

function asked(point: number): Checkable {
  return { key: String(point), fields: { point } };
}

/** The checks of points as one: their mean, and the point that agrees least. */
export function together(checks: ReadonlyMap<string, Check>): Check | null {
  const known = [...checks].filter(([, check]) => check.r !== null);
  const [first] = known;
  if (!first) return null;
  const values = known.map(([, check]) => check.r as number);
  const least = Math.min(...values);
  const mean = values.reduce((sum, r) => sum + r, 0) / values.length;
  const name = known[values.indexOf(least)]?.[0] ?? "";
  const { count, parts } = first[1];
  return { r: mean, count, parts, images: known.length, least: { r: least, name } };
}
