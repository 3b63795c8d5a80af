// What the parts of a view of channels share: the model, the kernel, and who is told of changes.
import type { AnyModel } from "@anywidget/types";
import type { Layer } from "../lib/evidence.ts";
import { Cancelled, type Fields, Kernel } from "../lib/kernel.ts";

export interface ChannelState {
  [name: string]: unknown;
  channel: number | null;
  layers: Layer[];
  live: boolean;
  view: object;
}

export type Listener<C> = (change: C) => void;

export abstract class ChannelSession<S extends ChannelState, C extends string> {
  readonly kernel: Kernel;
  private readonly listeners: Listener<C>[] = [];
  private readonly bindings: [string, () => void][] = [];

  constructor(
    readonly model: AnyModel<S>,
    readonly complain: (error: unknown) => void,
    private readonly stillness: string,
    busy: C,
  ) {
    this.kernel = new Kernel(model, () => this.tell(busy));
  }

  on(listener: Listener<C>): void {
    this.listeners.push(listener);
  }

  tell(change: C): void {
    for (const listener of this.listeners) this.guard(() => listener(change));
  }

  get live(): boolean {
    return this.model.get("live");
  }

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

  arrange(next: Partial<S["view"]>): void {
    this.model.set("view", { ...this.model.get("view"), ...next } as S["view"]);
    this.model.save_changes();
  }

  /** Ask the kernel; null and a word to the person where there is no result. */
  async ask(kind: string, fields: Fields): Promise<Fields | null> {
    if (!this.live) {
      this.complain(this.stillness);
      return null;
    }
    try {
      return await this.kernel.ask(kind, fields);
    } catch (error) {
      if (!(error instanceof Cancelled)) this.complain(error);
      return null;
    }
  }

  close(): void {
    for (const [event, act] of this.bindings) this.model.off(event as "change:channel", act);
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

  protected follow(trait: string, act: () => void): void {
    const bound = () => this.guard(act);
    this.bindings.push([`change:${trait}`, bound]);
    this.model.on(`change:${trait}` as "change:channel", bound);
  }
}
