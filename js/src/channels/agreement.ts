// Classes held against ablation: which are asked for, and what the view says of them.
import { type Checkable, type Checked, Checks } from "../lib/checking.ts";
import { setAttribute } from "../lib/dom.ts";
import { FaithLine, faithNote, lowest, type State } from "../lib/faith.ts";

const ADVICE = "these importances";
/** Seconds for the first class, whose images are read and whose network is looked over. */
const FIRST = 5;

interface Session extends Checked {
  readonly checkable: boolean;
  readonly shown: { classes: readonly string[] };
  spot(place: number): Checkable | null;
}

/** The checks of the classes shown, each by its place among them. */
export class ClassChecks extends Checks<number> {
  /** `wanted` are the places that should be known by now. */
  constructor(
    private readonly session: Session,
    wanted: () => readonly number[],
  ) {
    super(session, {
      spot: (place) => session.spot(place),
      wanted: () => (session.checkable ? wanted() : []),
      first: FIRST,
    });
  }

  override state(...places: readonly number[]): State {
    return this.session.checkable ? super.state(...places) : "still";
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
    () => void checks.run(...places()),
  );
  const write = () => {
    const missing = places().filter((place) => !checks.check(place));
    const open = session.checkable && missing.length > 0;
    const check = open ? null : (found()?.check ?? null);
    line.show(check, checks.state(...missing));
    const hint = `For this, pass labelled images when the view is made: ${view}, data=images)`;
    setAttribute(line.element, "title", check || session.checkable ? null : hint);
  };
  session.on(write);
  write();
  return line.element;
}
