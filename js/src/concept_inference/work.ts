// What the kernel is doing, and for how long.
import { h } from "../lib/dom.ts";
import { progress, workLine } from "../lib/work.ts";
import type { Session } from "./session.ts";

export class WorkLine {
  readonly element: HTMLElement;
  // not read out every second
  private readonly clock = h("span", { class: "hx-clock", "aria-hidden": "true" });
  private since = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly session: Session) {
    this.element = workLine(session, () => this.said(), { more: this.clock });
    session.on((change) => change === "busy" && this.turn());
  }

  close(): void {
    clearInterval(this.timer);
  }

  private said(): string | null {
    const { kernel } = this.session;
    if (kernel.busy.length === 0) return null;
    const explains = kernel.busy.includes("explain");
    return `${explains ? "Inferring concepts" : "Checking against ablation"}${progress(kernel)}`;
  }

  private turn(): void {
    const busy = this.session.kernel.busy.length > 0;
    if (busy === (this.timer !== undefined)) return;
    clearInterval(this.timer);
    this.since = Date.now();
    this.tick();
    this.timer = busy ? setInterval(() => this.tick(), 1000) : undefined;
  }

  private tick(): void {
    this.clock.textContent = `${Math.round((Date.now() - this.since) / 1000)} s`;
  }
}
