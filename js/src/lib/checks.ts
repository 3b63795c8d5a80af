// Checks against ablation: how far what a view says agrees with it, in one line, red and in words
// where it is little; and the checks of what is looked at, made by themselves as long as they are
// quick. Thresholds and sentences are Python's too: they stand in one file, where the kernel reads
// them.
import words from "../../../hexplain_widgets/widgets/_shared/agreement.json" with { type: "json" };
import { button, fill, h } from "./dom.ts";
import { Cancelled, type Fields, type Kernel, Unheard } from "./kernel.ts";

/** What the kernel found when it removed the parts one by one. */
export interface Check {
  r: number | null;
  rank?: number | null;
  count: number;
  parts: string;
  images?: number;
  /** Where `r` is a mean over images: the one that agrees least. */
  least?: { r: number; name: string };
  seconds?: number;
  /** Why a good correlation says little, in the kernel's words: few parts, or one that decides. */
  caution?: string;
}

type Verdict = "good" | "fair" | "poor" | "unknown";

/** A check that takes longer is made when it is asked for. */
export const QUICK = 1;

export function verdict(check: Check): Verdict {
  if (check.r === null) return "unknown";
  if (check.r >= words.good) return check.caution ? "fair" : "good";
  return check.r >= words.poor ? "fair" : "poor";
}

/** What the line speaks of: nothing where it is the view itself; what not to rely on. */
export interface Wording {
  subject?: string;
  advice: string;
}

export function told(check: Check, { subject, advice }: Wording): string {
  const { r, parts, seconds } = check;
  const who = subject === undefined ? "" : `${subject} `;
  const over = (check.images ?? 1) > 1 ? ` in ${check.images} images` : "";
  const count = `${check.count} ${parts}${over}`;
  const found = verdict(check);
  if (r === null || found === "unknown") return who + filled(words.unknown, { count });
  const sentence = filled(words.known, {
    degree: check.caution ? "" : words.degrees[found],
    r: places(r) + andLeast(check),
    size: `${count}${seconds === undefined ? "" : `, ${time(seconds)}`}`,
    doubt: found === "poor" ? filled(words.doubt, { advice }) : "",
  });
  return who + sentence + (check.caution ?? "");
}

/** A sentence with its places filled. */
function filled(sentence: string, values: Readonly<Record<string, string>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
}

/** A mean hides bad images: the lowest is said beside it. */
function andLeast({ least }: Check): string {
  if (!least) return "";
  const low =
    least.r < words.poor ? `, but only ${places(least.r)}` : `, ${places(least.r)} at least`;
  return ` on average${low} in ${least.name}`;
}

export function places(r: number): string {
  return r.toFixed(2).replace("-", "−");
}

function time(seconds: number): string {
  if (seconds < 0.05) return "< 0.1 s";
  return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
}

export type State = "idle" | "running" | "still";

/** A line that stands for one check: known, under way, to be asked for, or not to be had. */
export class FaithLine {
  readonly element = h("p", { class: "hx-faith", role: "status" });
  private shown = "";

  constructor(
    private readonly wording: () => Wording,
    private readonly ask: () => void,
  ) {}

  show(check: Check | null, state: State): void {
    const text = check ? told(check, this.wording()) : state;
    if (text === this.shown) return;
    this.shown = text;
    this.element.dataset.verdict = check ? verdict(check) : "unknown";
    fill(this.element, ...(check ? marked(check, text) : this.open(state)));
  }

  private open(state: State): (Node | string)[] {
    if (state === "running") return ["checking against ablation …"];
    if (state === "still") return ["not checked against ablation"];
    return [button("Check against ablation", this.ask)];
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
  return { check, subject: `${name}, the lowest of ${of},` };
}

/** The line of a check that is known, and stays. */
export function faithLine(check: Check, wording: Wording): HTMLElement {
  const attributes = { class: "hx-faith", "data-verdict": verdict(check) };
  return h("p", attributes, ...marked(check, told(check, wording)));
}

/** The verdict where there is no room for the line, which is its title. */
export function faithNote(check: Check, wording: Wording): HTMLElement {
  const title = told(check, wording);
  const attributes = { class: "hx-faith", "data-verdict": verdict(check), title };
  const r = check.r === null ? "not known" : `r = ${places(check.r)}`;
  return h("span", attributes, mark(verdict(check)), r);
}

function marked(check: Check, text: string): [HTMLElement, string] {
  return [mark(verdict(check)), text];
}

/** The verdict as a shape, so that it does not rest on colour alone. */
function mark(found: Verdict): HTMLElement {
  return h("span", { class: "hx-faith-mark", "aria-hidden": "true" }, words.marks[found]);
}

/** Something that can be checked: how it is kept, and what the kernel is asked. */
export interface Checkable {
  readonly key: string;
  readonly fields: Fields;
}

/** A view's session, as far as its checks need it. */
export interface Checked {
  readonly live: boolean;
  readonly kernel: Kernel;
  check(key: string): Check | null;
  complain(error: unknown): void;
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
  private readonly failed = new Set<string>();

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

  /** Check those of these that are not known yet; a cancel ends it. */
  async run(...all: readonly T[]): Promise<void> {
    for (const one of this.spots(all))
      if (!this.view.check(one.key) && !(await this.asked(one))) return;
  }

  /** A line on what is looked at, hidden where that cannot be checked. */
  line(wording: () => Wording, one: () => T | null): { element: HTMLElement; write(): void } {
    const asked = () => [one()].filter((now) => now !== null && this.has(now)) as T[];
    const line = new FaithLine(wording, () => void this.run(...asked()));
    const write = () => {
      const [now] = asked();
      line.element.hidden = now === undefined;
      if (now !== undefined) line.show(this.check(now), this.state(now));
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
      this.slow = (found.seconds ?? 0) > this.limit;
      this.limit = QUICK;
    } catch (error) {
      if (error instanceof Cancelled) this.slow ||= !this.gaveWay(error);
      else {
        this.failed.add(one.key);
        view.complain(error);
      }
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
