// Classes held against ablation: which are asked for, and what the view says of them.
import { type Checkable, type Checked, Checking } from "../lib/checking.ts";
import { setAttribute } from "../lib/dom.ts";
import { type Check, FaithLine, faithNote, lowest, type State } from "../lib/faith.ts";

const ADVICE = "these importances";
/** Seconds for the first class, whose images are read and whose network is looked over. */
const FIRST = 5;

interface Session extends Checked {
  readonly checkable: boolean;
  readonly shown: { classes: readonly string[] };
  spot(place: number): Checkable | null;
  on(listener: () => void): void;
  tell(change: "checks"): void;
}

/** The checks of the classes shown, each by its place among them. */
export class ClassChecks {
  private readonly checking: Checking;

  /** `wanted` are the places that should be known by now. */
  constructor(
    private readonly session: Session,
    wanted: () => readonly number[],
  ) {
    const wishes = {
      told: () => session.tell("checks"),
      wanted: () => (session.checkable ? wanted() : []).flatMap((one) => session.spot(one) ?? []),
    };
    this.checking = new Checking(session, wishes, [], FIRST);
    session.on(() => this.checking.consider());
  }

  start(): void {
    this.checking.start();
  }

  check(place: number): Check | null {
    const spot = this.session.spot(place);
    return spot && this.session.check(spot.key);
  }

  /** How the check of one of these classes stands, as long as it is not known. */
  state(places: readonly number[]): State {
    if (!this.session.checkable) return "still";
    const running = (place: number) => {
      const spot = this.session.spot(place);
      return spot !== null && this.checking.state(spot.key) === "running";
    };
    return places.some(running) ? "running" : "idle";
  }

  /** Check these classes, as far as they are not known; a cancel ends it. */
  run(places: readonly number[]): Promise<void> {
    return this.checking.runAll(places.flatMap((place) => this.session.spot(place) ?? []));
  }

  /** The verdict on a class in short; null where there is none. */
  note(place: number): HTMLElement | null {
    const check = this.check(place);
    const subject = this.session.shown.classes[place] ?? "";
    return check && faithNote(check, { subject, advice: ADVICE });
  }
}

/** The line under a view's title: of the class that agrees least of those at `places`. */
export function agreementLine(
  session: Session,
  checks: ClassChecks,
  view: string,
  places: () => readonly number[],
): HTMLElement {
  const found = () =>
    lowest(places().map((i) => ({ name: session.shown.classes[i] ?? "", check: checks.check(i) })));
  const line = new FaithLine(
    () => ({ subject: found()?.subject ?? "", advice: ADVICE }),
    () => void checks.run(places()),
  );
  const write = () => {
    const missing = places().filter((place) => !checks.check(place));
    const open = session.checkable && missing.length > 0;
    const check = open ? null : (found()?.check ?? null);
    line.show(check, checks.state(missing));
    const hint = `For this, pass labelled images when the view is made: ${view}, data=images)`;
    setAttribute(line.element, "title", check || session.checkable ? null : hint);
  };
  session.on(write);
  write();
  return line.element;
}
