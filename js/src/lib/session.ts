// What the parts of a view share: the model, the kernel, and who is told of changes; in a view of
// channels the layers and the chosen channel, too.
import type { AnyModel } from "@anywidget/types";
import type { Layer } from "./evidence.ts";
import { Cancelled, type Fields, Kernel } from "./kernel.ts";
import type { Check, Words } from "./trust.ts";

export interface ViewState {
  [name: string]: unknown;
  live: boolean;
  view: object;
  /** How far what is shown agrees with ablation, where it was checked. */
  checks?: Record<string, Check>;
  /** The sentences of trust. */
  words?: Words;
}

/** The sentences of a state that was saved before there were any: they say nothing. */
const UNSAID: Words = new Proxy({} as Words, {
  get: (_, key) =>
    typeof key === "symbol"
      ? undefined
      : key === "map"
        ? () => []
        : /^(toS|repl|incl)/.test(key)
          ? () => ""
          : UNSAID,
});

/** How a person arranged a view. It lives in the model, so it is saved and shared by its views. */
export class Arrangement<V extends object> {
  constructor(private readonly model: AnyModel<{ view: V }>) {}

  get saved(): V {
    return this.model.get("view") ?? ({} as V);
  }

  change(next: Partial<V>): void {
    this.model.set("view", { ...this.saved, ...next });
    this.model.save_changes();
  }
}

export abstract class ViewSession<S extends ViewState, C extends string> {
  readonly kernel: Kernel;
  private readonly kept: Arrangement<S["view"]>;
  private readonly listeners: ((change: C) => void)[] = [];
  private readonly bindings: [string, () => void][] = [];
  private heard = false;

  /** `stillness` is said where the view has no engine; `busy` is told as the kernel's work changes. */
  constructor(
    readonly model: AnyModel<S>,
    readonly complain: (error: unknown) => void,
    private readonly stillness: string,
    busy: C,
  ) {
    this.kernel = new Kernel(model, () => this.tell(busy));
    this.kept = new Arrangement<S["view"]>(model as unknown as AnyModel<{ view: S["view"] }>);
  }

  on(listener: (change: C) => void): void {
    this.listeners.push(listener);
  }

  tell(change: C): void {
    for (const listener of this.listeners) this.guard(() => listener(change));
  }

  get live(): boolean {
    return this.model.get("live");
  }

  get words(): Words {
    return this.model.get("words") ?? UNSAID;
  }

  /** How far one thing shown agrees with ablation, if it was checked. */
  check(key: string): Check | null {
    return this.model.get("checks")?.[key] ?? null;
  }

  /** How a person arranged the view; kept with the notebook. */
  get saved(): S["view"] {
    return this.kept.saved;
  }

  arrange(next: Partial<S["view"]>): void {
    this.kept.change(next);
  }

  /** Ask the kernel; null and a word to the person where there is no result. */
  async ask(kind: string, fields: Fields = {}, buffers?: ArrayBuffer[]): Promise<Fields | null> {
    if (!this.live) {
      this.complain(this.stillness);
      return null;
    }
    return this.answered(this.kernel.ask(kind, fields, buffers));
  }

  /** Ask what no person waits for; nothing is said where the kernel stays silent. */
  protected wish(kind: string, fields: Fields): Promise<Fields | null> {
    return this.answered(this.kernel.wish(kind, fields));
  }

  /** Ask for what is missing on the screen: a wish, until the kernel has answered for once. */
  protected fetchFrom(kind: string, fields: Fields): Promise<Fields | null> {
    return this.heard ? this.ask(kind, fields) : this.wish(kind, fields);
  }

  private async answered(answer: Promise<Fields>): Promise<Fields | null> {
    try {
      const found = await answer;
      this.heard = true;
      return found;
    } catch (error) {
      if (!(error instanceof Cancelled)) this.complain(error);
      return null;
    }
  }

  close(): void {
    for (const [event, act] of this.bindings) this.model.off(event as "change:view", act);
    this.kernel.close();
    this.listeners.length = 0;
  }

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.complain(error);
    }
  }

  /** Tell a change once work is done; what went wrong is complained of first. */
  protected async tellAfter(work: Promise<void>, change: C): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.complain(error);
    }
    this.tell(change);
  }

  protected follow(trait: string, act: () => void): void {
    const bound = () => this.guard(act);
    this.bindings.push([`change:${trait}`, bound]);
    this.model.on(`change:${trait}` as "change:view", bound);
  }
}

export interface ChannelState extends ViewState {
  channel: number | null;
  layers: Layer[];
}

/** What the parts of a view of channels share: the layers, and the chosen channel. */
export abstract class ChannelSession<S extends ChannelState, C extends string> extends ViewSession<
  S,
  C
> {
  get layers(): Layer[] {
    return this.model.get("layers");
  }

  /** The chosen channel, which other views of the notebook may follow. */
  get channel(): number | null {
    return this.model.get("channel");
  }

  choose(channel: number | null): void {
    if (channel === this.channel) return;
    this.model.set("channel", channel as S["channel"]);
    this.model.save_changes();
  }
}
