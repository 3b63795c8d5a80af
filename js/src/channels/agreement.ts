// Classes held against ablation: what a view keeps of them, which are asked for, and what it says.

import {
  type Checkable,
  type Checked,
  Checks,
  FaithLine,
  faithNote,
  lowest,
  type State,
} from "../lib/checks.ts";
import { ChannelSession, type ChannelState } from "../lib/session.ts";

export interface CheckedState extends ChannelState {
  /** Which of the Chip's classes are shown, by index. */
  targets: number[];
  checkable: boolean;
}

/** What a view of classes keeps of how far each of them agrees with ablation. */
export abstract class CheckedSession<
  S extends CheckedState,
  C extends string,
> extends ChannelSession<S, C> {
  /** Names of the classes shown, and the layer they are shown at. */
  abstract get shown(): { classes: readonly string[]; layer: string };

  /** Whether the kernel has labelled images to hold classes against. */
  get checkable(): boolean {
    return this.live && this.model.get("checkable");
  }

  /** What the class at a place of those shown is to the kernel. */
  spot(place: number): Checkable | null {
    const target = this.model.get("targets")?.[place];
    if (target === undefined) return null;
    const { layer } = this.shown;
    return { key: `${layer}|${target}`, fields: { target, layer } };
  }
}

const WHAT = "the order of its channels";
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
    return check && faithNote(this.session.words, check, { subject, what: WHAT });
  }
}

/** The line under a view's title: of the class that agrees least of those at `places`. */
export function agreementLine(
  session: Session,
  checks: ClassChecks,
  places: () => readonly number[],
): HTMLElement {
  const found = () =>
    lowest(places().map((i) => ({ name: session.shown.classes[i] ?? "", check: checks.check(i) })));
  const { words } = session;
  let least: ReturnType<typeof found> = null;
  const line = new FaithLine(
    words,
    () => (least ? { subject: least.subject, what: WHAT } : { what: "the order of channels" }),
    () => void checks.run(...places()),
  );
  const write = () => {
    const missing = places().filter((place) => !checks.check(place));
    const open = session.checkable && missing.length > 0;
    least = open ? null : found();
    const check = least?.check ?? null;
    const lacks = session.live && !session.checkable ? words.needs.data : checks.needs(...missing);
    line.show(check, checks.state(...missing), lacks);
  };
  session.on(write);
  write();
  return line.element;
}
