// Checks against ablation: how far what a view says can be trusted, in one sentence, red where it
// cannot, with its figures behind it; and the checks of what is looked at, made by themselves as long
// as they are quick. What was not checked has a button beside it, and what a check takes or lacked.
import { button, fill, h } from "./dom.ts";
import { Cancelled, type Fields, type Kernel, Unheard } from "./kernel.ts";
import {
  behind,
  type Check,
  filled,
  type Kind,
  kindOf,
  sentence,
  time,
  type Wording,
  type Words,
} from "./trust.ts";

/** A check that takes longer is made when it is asked for. */
export const QUICK = 1;

export type State = "idle" | "running" | "still";

/** A line that stands for one check: known, under way, to be asked for, or not to be had. */
export class FaithLine {
  readonly element = h("div", { class: "hx-faith" });
  private readonly mark = h("span", { class: "hx-faith-mark", "aria-hidden": "true" });
  private readonly said = h("span", { role: "status" });
  private readonly body = h("div", { class: "hx-faith-body" });
  private readonly muted = h("small", {});
  private readonly offer: HTMLElement;
  private shown = "";

  constructor(
    private readonly words: Words,
    private readonly wording: () => Wording,
    ask: () => void,
  ) {
    const more = h("span", { class: "hx-faith-more" }, words.ask);
    const summary = h("summary", {}, this.mark, this.said, " ", more, " ", this.muted);
    this.offer = button(words.check, ask);
    const hidden = !`${words.ask}`; // a state without sentences; the line itself comes and goes
    this.element.append(h("details", { hidden }, summary, this.body), this.offer);
  }

  /** Say what is known; where nothing is, offer to check, with what it takes or lacked. */
  show(check: Check | null, state: State, needs: string | null = null): void {
    const { words } = this;
    const wording = this.wording();
    const [said, lines] = [sentence(words, check, wording), behind(words, check, wording)];
    const open = !check && !wording.measured;
    const { running } = words;
    const { model: still, time: idle } = words.needs;
    const muted = state === "running" ? running : (needs ?? { still, idle }[state]);
    const text = [said, ...lines, open && muted, state].join("\n");
    if (text === this.shown) return;
    this.shown = text;
    const kind = kindOf(words, check, wording);
    this.element.dataset.verdict = kind;
    this.mark.textContent = words.marks[kind];
    this.said.textContent = said;
    fill(this.body, ...lines.map((line) => h("p", {}, line)));
    this.muted.textContent = open ? muted : "";
    this.offer.hidden = !open || state !== "idle";
  }
}

interface Named {
  readonly name: string;
  readonly check: Check | null;
}

/** What agrees least of all that is known side by side, as the subject of a sentence. */
export function lowest(all: readonly Named[]): { check: Check; subject: string } | null {
  const known = all.flatMap(({ name, check }) => (check ? [{ name, check }] : []));
  const [first] = [...known].sort((a, b) => (a.check.r ?? 2) - (b.check.r ?? 2));
  if (!first) return null;
  const { name, check } = first;
  if (known.length === 1) return { check, subject: name };
  const of = known.length < all.length ? `the ${known.length} checked` : known.length;
  return { check, subject: `${name}, the lowest of ${of}` };
}

/** The line of a check that is known or cannot be had, and stays. */
export function faithLine(
  words: Words,
  check: Check | null,
  wording: Wording,
  needs: string | null = null,
): HTMLElement {
  const line = new FaithLine(
    words,
    () => wording,
    () => undefined,
  );
  line.show(check, "still", needs);
  return line.element;
}

/** The verdict where there is no room for the line, which is its title. */
export function faithNote(words: Words, check: Check, wording: Wording): HTMLElement {
  const kind: Kind = kindOf(words, check, wording);
  const title = [sentence(words, check, wording), ...behind(words, check, wording)].join("\n");
  const mark = h("span", { class: "hx-faith-mark", "aria-hidden": "true" }, words.marks[kind]);
  const attributes = { class: "hx-faith", "data-verdict": kind, title };
  return h("span", attributes, mark, words.short[kind]);
}

/** Something that can be checked: how it is kept, and what the kernel is asked. */
export interface Checkable {
  readonly key: string;
  readonly fields: Fields;
}

/** A view's session, as far as its checks need it. */
export interface Checked {
  readonly live: boolean;
  readonly words: Words;
  readonly kernel: Kernel;
  check(key: string): Check | null;
  on(listener: (change: string) => void): void;
  /** A check has begun or ended. */
  tell(change: "checks"): void;
}

/** What a view has checked. */
interface Plan<T> {
  /** What something shown is to the kernel; null where it cannot be checked. */
  spot(one: T): Checkable | null;
  /** What should be known by now, the most wanted first. */
  wanted(): readonly T[];
  /** The change of the view after which failed checks may be tried again. */
  renewed?: string;
  /** Questions that a check may be asked beside. */
  beside?: readonly string[];
  /** Seconds that the first check may take: it has to read images that the next ones know. */
  first?: number;
}

/** Checks of what is looked at, by themselves as long as they are quick. */
export class Checks<T> {
  private running: string | null = null;
  private slow = false;
  private started = false;
  private limit: number;
  private took: number | null = null;
  /** What checks lacked, in the kernel's words. */
  private readonly failed = new Map<string, string>();

  constructor(
    private readonly view: Checked,
    private readonly plan: Plan<T>,
  ) {
    this.limit = plan.first ?? QUICK;
  }

  /** From now on check what is wanted. */
  start(): void {
    this.started = true;
    this.view.on((change) => {
      if (change === this.plan.renewed) this.failed.clear();
      this.consider();
    });
    this.consider();
  }

  has(one: T): boolean {
    return this.plan.spot(one) !== null;
  }

  check(one: T): Check | null {
    const spot = this.plan.spot(one);
    return spot && this.view.check(spot.key);
  }

  /** How the check of one of these stands, as long as it is not known. */
  state(...all: readonly T[]): State {
    if (!this.view.live) return "still";
    return this.spots(all).some(({ key }) => key === this.running) ? "running" : "idle";
  }

  /** What a check of these lacked, or takes by what another took; null where that is not known. */
  needs(...all: readonly T[]): string | null {
    const lacks = this.spots(all).flatMap(({ key }) => this.failed.get(key) ?? []);
    if (lacks.length > 0) return [...new Set(lacks)].join(" ");
    const { again } = this.view.words.needs;
    return this.took === null ? null : filled(again, { time: time(this.took) });
  }

  /** Check those of these that are not known yet; a cancel ends it. */
  async run(...all: readonly T[]): Promise<void> {
    for (const one of this.spots(all))
      if (!this.view.check(one.key) && !(await this.asked(one))) return;
  }

  /** A line on what is looked at, hidden where that cannot be checked. */
  line(wording: () => Wording, one: () => T | null): { element: HTMLElement; write(): void } {
    const asked = () => [one()].filter((now) => now !== null && this.has(now)) as T[];
    const line = new FaithLine(this.view.words, wording, () => void this.run(...asked()));
    const write = () => {
      const [now] = asked();
      line.element.hidden = now === undefined;
      if (now !== undefined) line.show(this.check(now), this.state(now), this.needs(now));
    };
    return { element: line.element, write };
  }

  private spots(all: readonly T[]): Checkable[] {
    return all.flatMap((one) => this.plan.spot(one) ?? []);
  }

  /** Check what is wanted, unless the person waits for something or checks take long. */
  private consider(): void {
    const { view, plan } = this;
    if (!this.started || !view.live || this.slow || this.running !== null) return;
    if (view.kernel.busy.some((kind) => !plan.beside?.includes(kind))) return;
    const open = ({ key }: Checkable) => !this.failed.has(key) && !view.check(key);
    const next = this.spots(plan.wanted()).find(open);
    if (next) void this.make(next, (kind, fields) => view.kernel.wish(kind, fields));
  }

  /** Check what a person asks to have checked; whether it was. */
  private asked(one: Checkable): Promise<boolean> {
    return this.make(one, (kind, fields) => this.view.kernel.ask(kind, fields));
  }

  private async make(one: Checkable, ask: Kernel["wish"]): Promise<boolean> {
    const { view } = this;
    this.running = one.key;
    view.tell("checks");
    try {
      const found = (await ask("check", one.fields)) as unknown as Check;
      this.took = found.seconds ?? null;
      this.slow = (this.took ?? 0) > this.limit;
      this.limit = QUICK;
    } catch (error) {
      if (error instanceof Cancelled) this.slow ||= !this.gaveWay(error);
      else this.failed.set(one.key, error instanceof Error ? error.message : String(error));
    }
    this.running = null;
    view.tell("checks");
    return view.check(one.key) !== null;
  }

  /** Whether a check only gave way to other work: a person's cancel ends those made unasked. */
  private gaveWay(error: Cancelled): boolean {
    return !(error instanceof Unheard) && this.view.kernel.busy.length > 0;
  }
}
