// The sunbursts of the points that are chosen: the charts of ConceptSunburst, with a model of the
// same shape that holds these inferences alone.
import type { AnyModel } from "@anywidget/types";
import { placed } from "../concept_inference/card.ts";
import { Charts } from "../concept_inference/charts.ts";
import { ringsKey } from "../concept_inference/gauge.ts";
import {
  type State as InferenceState,
  Session as Inferences,
} from "../concept_inference/session.ts";
import { button, fill, h } from "../lib/dom.ts";
import { listed } from "../lib/words.ts";
import { known, type Shown, subset } from "./payload.ts";
import { MOST_CHARTS, type Session } from "./session.ts";
import { pointName } from "./words.ts";

export class Bursts {
  readonly element = h("section", { class: "hx-chosen", "aria-label": "Sunbursts" });
  private readonly head = h("div", { class: "hx-chosen-head" });
  private readonly body = h("div", {});
  private leave: () => void = () => undefined;
  private drawn = "";
  private written: string | null = null;

  constructor(
    private readonly session: Session,
    private readonly complain: (error: unknown) => void,
  ) {
    this.element.append(this.head, this.body);
    session.on((change) => {
      if (change === "arrangement" || change === "charts") this.update(change === "charts");
      if (change === "busy") this.write();
    });
    this.update(false);
  }

  close(): void {
    this.leave();
  }

  private update(anew: boolean): void {
    const { session } = this;
    this.write();
    const shown = known(session.charts, session.points);
    // other inferences that came with these change their colours at most
    if (shown.join() === this.drawn && !(anew && shown.length > 0)) return;
    this.drawn = shown.join();
    this.leave();
    this.leave = () => undefined;
    this.body.replaceChildren();
    if (shown.length > 0) this.make(subset(session.charts, shown));
  }

  private make(shown: Shown): void {
    const model = stand(this.session, shown);
    const inferences = new Inferences(model, this.complain);
    const charts = new Charts(inferences);
    const key = h("div", { class: "hx-rings-key hx-layer" }, ringsKey(placed(inferences.sets)));
    this.body.append(charts.element, key, charts.sheet.element);
    this.leave = () => {
      charts.close();
      inferences.close();
    };
    void inferences.load();
  }

  private write(): void {
    const { session } = this;
    const { points, space, missing, live, charts } = session;
    const busy = session.kernel.busy.includes("infer");
    const names = listed(points.map((i) => pointName(space, session.point(i))));
    const words = [names, missing, busy, live, charts.lack, charts.of.length].join("|");
    // a button that is pressed or focused stays the one it is
    if (words === this.written) return;
    this.written = words;
    fill(
      this.head,
      h("h3", {}, points.length > 0 ? `What ${names} rest${points.length > 1 ? "" : "s"} on` : ""),
      points.length === 0 && h("p", { class: "hx-layer" }, this.hint()),
      missing.length > 0 && !busy && live && this.offer(lacking(session)),
      missing.length > 0 && !live && h("p", { class: "hx-layer" }, charts.lack),
      points.length > 0 && button("Close", () => session.arrange({ points: [] })),
    );
  }

  private hint(): string {
    const { live, charts } = this.session;
    if (!live && charts.of.length === 0) return charts.lack;
    return `Choose points to see what they rest on: click, Shift + click for up to ${MOST_CHARTS}.`;
  }

  private offer(names: string): HTMLElement {
    return button(`Infer concepts of ${names}`, () => void this.session.infer());
  }
}

/** The chosen points that were not inferred yet, by name. */
export function lacking(session: Session): string {
  return listed(session.missing.map((i) => pointName(session.space, session.point(i))));
}

/** A model for the charts: what is zoomed in and chosen there is saved with the rest. */
function stand({ model }: Session, { inference, pictures }: Shown): AnyModel<InferenceState> {
  const own: Partial<InferenceState> = { inference, pictures, classes: [], live: false };
  const saved = (event: string) => event === "change:view";
  const made = {
    get: (name: string) => own[name] ?? model.get(name),
    set: (name: string, value: unknown) => model.set(name as "view", value as never),
    save_changes: () => model.save_changes(),
    on: (event: string, act: () => void) => saved(event) && model.on("change:view", act),
    off: (event: string, act: () => void) => saved(event) && model.off("change:view", act),
    send: () => undefined,
  };
  return made as unknown as AnyModel<InferenceState>;
}
