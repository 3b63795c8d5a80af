// Checks against ablation: of what is looked at, by themselves as long as they are quick.

import { type Check, FaithLine, QUICK, type State, type Wording } from "./faith.ts";
import { Cancelled, type Fields, type Kernel, Unheard } from "./kernel.ts";

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
