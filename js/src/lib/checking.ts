// Checks against ablation: of what is looked at, by themselves as long as they are quick.

import { type Check, QUICK, type State } from "./faith.ts";
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
}

export interface Wishes {
  /** What should be known by now, the most wanted first. */
  wanted(): readonly Checkable[];
  /** A check has begun or ended. */
  told(): void;
}

export class Checking {
  private running: string | null = null;
  private slow = false;
  private started = false;
  private readonly failed = new Set<string>();

  constructor(
    private readonly view: Checked,
    private readonly wishes: Wishes,
    /** Questions that a check may be asked beside. */
    private readonly beside: readonly string[] = [],
    /** Seconds that the first check may take: it has to read images that the next ones know. */
    private limit = QUICK,
  ) {}

  /** From now on check what is wanted. */
  start(): void {
    this.started = true;
    this.consider();
  }

  /** What failed may be tried again. */
  forget(): void {
    this.failed.clear();
  }

  state(key: string): State {
    if (!this.view.live) return "still";
    return this.running === key ? "running" : "idle";
  }

  /** Check what is wanted, unless the person waits for something or checks take long. */
  consider(): void {
    const { view } = this;
    if (!this.started || !view.live || this.slow || this.running !== null) return;
    if (view.kernel.busy.some((kind) => !this.beside.includes(kind))) return;
    const next = this.wishes.wanted().find(({ key }) => !this.failed.has(key) && !view.check(key));
    if (next) void this.make(next, (kind, fields) => view.kernel.wish(kind, fields));
  }

  /** Check what a person asks to have checked; whether it was. */
  run(one: Checkable): Promise<boolean> {
    return this.make(one, (kind, fields) => this.view.kernel.ask(kind, fields));
  }

  /** Check those of these that are not known yet; a cancel ends it. */
  async runAll(all: readonly Checkable[]): Promise<void> {
    for (const one of all) if (!this.view.check(one.key) && !(await this.run(one))) return;
  }

  private async make(one: Checkable, ask: Kernel["wish"]): Promise<boolean> {
    const { view } = this;
    this.running = one.key;
    this.wishes.told();
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
    this.wishes.told();
    return view.check(one.key) !== null;
  }

  /** Whether a check only gave way to other work: a person's cancel ends those made unasked. */
  private gaveWay(error: Cancelled): boolean {
    return !(error instanceof Unheard) && this.view.kernel.busy.length > 0;
  }
}
