// A concept's maps on the chosen images: the classifier's logit at each place, in signed colours.

import { ramp } from "../lib/colours.ts";
import { fill, h } from "../lib/dom.ts";
import { coloured, paintOver, pale, scaled } from "../lib/heat.ts";
import { bitmapsOf, type Grid, range } from "../lib/pixels.ts";
import { number } from "../lib/words.ts";
import { notesOf } from "./payload.ts";
import type { Session } from "./session.ts";

const SIDE = 220;
const OPACITY = 0.85;

export class Maps {
  readonly element = h("div", { class: "hx-maps", hidden: true });
  private grounds: HTMLCanvasElement[] = [];
  private reading = 0;

  constructor(private readonly session: Session) {}

  /** Read the chosen images. */
  async load(): Promise<void> {
    const reading = ++this.reading;
    const images = await bitmapsOf(this.session.model.get("pictures"));
    if (reading !== this.reading) return;
    this.grounds = images.map(pale);
    this.draw();
  }

  draw(): void {
    const { session, grounds } = this;
    const { concept } = session;
    // a doubtful classifier's map would look like a finding
    this.element.hidden = concept < 0 || grounds.length === 0 || !session.usable(concept);
    if (this.element.hidden) return;
    const maps = session.maps(concept);
    const ends = [...maps.values()].flatMap((map) => range(map).map(Math.abs));
    const most = Math.max(...ends, 0) || 1;
    const notes = notesOf(session.model.get("maps"), session.graph.concepts[concept] as string);
    fill(
      this.element,
      h("div", { class: "hx-map-row" }, ...grounds.map((_, i) => this.one(i, maps.get(i), most))),
      maps.size > 0 ? scale(most) : this.waiting(),
      ...notes.map((note) => h("p", { class: "hx-notes" }, note)),
    );
    void session.fetchMaps(concept);
  }

  private one(i: number, map: Grid | undefined, most: number): HTMLElement {
    const ground = this.grounds[i] as HTMLCanvasElement;
    const name = this.session.graph.concepts[this.session.concept] as string;
    const words = map
      ? `Map of ${name} on image ${i + 1}: logit from ${number(range(map)[0])} to ${number(range(map)[1])}`
      : `Image ${i + 1}, without a map`;
    const canvas = h("canvas", {
      ...scaled(ground, SIDE),
      role: "img",
      "aria-label": words,
      title: words,
    });
    paintOver(canvas, ground, map ? coloured(map, most) : null, OPACITY);
    return canvas;
  }

  private waiting(): HTMLElement {
    const { live, kernel } = this.session;
    const coming = live && kernel.busy.includes("maps");
    const words = coming ? "Maps are on their way …" : "Maps of this concept are not here.";
    return h("p", { class: "hx-waiting" }, words);
  }
}

function scale(most: number): HTMLElement {
  return h(
    "div",
    { class: "hx-map-scale" },
    ...ramp(-1, 1, [
      [0, `−${number(most)}`],
      [50, "0"],
      [100, number(most)],
    ]),
    h("p", {}, "logit of the concept's classifier at each place: blue against, bright for"),
  );
}
