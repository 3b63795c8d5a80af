// What the parts of a view of channels share: the layers, and the chosen channel.
import type { Layer } from "./evidence.ts";
import { ViewSession, type ViewState } from "./session.ts";

export interface ChannelState extends ViewState {
  channel: number | null;
  layers: Layer[];
}

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
