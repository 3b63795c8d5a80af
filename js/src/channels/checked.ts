// What a view of classes keeps of how far each of them agrees with ablation.

import { ChannelSession, type ChannelState } from "../lib/channel_session.ts";
import type { Checkable } from "../lib/checking.ts";

export interface CheckedState extends ChannelState {
  /** Which of the Chip's classes are shown, by index. */
  targets: number[];
  checkable: boolean;
}

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
