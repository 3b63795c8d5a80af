// The regions in which the chosen neuron is strongest, the place ringed.
import { fill, h } from "../lib/dom.ts";
import { number } from "../lib/words.ts";
import type { Region } from "./payload.ts";
import type { Session } from "./session.ts";

export class Regions {
  readonly element = h("div", { class: "hx-regions" });
  private urls: string[] = [];
  private shown: unknown[] = [];

  constructor(private readonly session: Session) {}

  draw(): void {
    const { session } = this;
    const { channel } = session;
    const source = session.model.get("portraits");
    const regions = channel === null ? null : session.regions(channel);
    if (!regions) this.wait(channel);
    else if (this.shown[0] !== channel || this.shown[1] !== source) {
      this.close();
      const ranking = source.places?.[String(channel)]?.ranking;
      fill(
        this.element,
        ...regions.map((region, i) => this.one(region, i, channel as number)),
        ranking && h("p", { class: "hx-ranking" }, ranking),
      );
      this.shown = [channel, source];
    }
  }

  close(): void {
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
    this.shown = [];
  }

  private wait(channel: number | null): void {
    const { session } = this;
    this.close();
    if (channel === null) return;
    void session.fetchRegions(channel);
    const coming = session.live && session.kernel.busy.includes("portraits");
    const words = coming ? "Its regions are on their way …" : "Its regions are not here.";
    fill(this.element, h("p", { class: "hx-waiting" }, words));
  }

  private one({ bytes, value, at }: Region, i: number, channel: number): HTMLElement {
    const url = URL.createObjectURL(new Blob([bytes]));
    this.urls.push(url);
    const alt = `Region ${i + 1} of those where neuron ${channel} is strongest: ${number(value)}`;
    const ring = h("i", { class: "hx-ring", "aria-hidden": "true" });
    ring.style.top = `${100 * at[0]}%`;
    ring.style.left = `${100 * at[1]}%`;
    return h(
      "figure",
      {},
      h("div", { class: "hx-region" }, h("img", { src: url, alt }), ring),
      h("figcaption", {}, number(value)),
    );
  }
}
