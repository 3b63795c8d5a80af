// The channels of a region: what each weighs, where it answers on the image, and to which images.
import { heatGradient, scaleOf } from "../../lib/colours.ts";
import { button, fill, h, short } from "../../lib/dom.ts";
import { colouredAt, paintOver, pale, scaled, spread } from "../../lib/heat.ts";
import { bitmapOf, bytesOf, type Grid, range } from "../../lib/pixels.ts";
import { weakly } from "../../lib/trust.ts";
import { counted, number } from "../../lib/words.ts";
import { tint } from "./classes.ts";
import type { Portrait, Region, Session } from "./session.ts";

const FIRST = 12;
const PIXELS = 160;
const OPACITY = 0.85;

export class Cards {
  readonly element = h("section", { class: "hx-cards", "aria-label": "Channels of the region" });
  private readonly title = h("h3", {});
  private readonly list = h("div", { class: "hx-card-list" });
  private readonly legend = h("p", { class: "hx-legend", hidden: true });
  private ground: HTMLCanvasElement | null = null;
  private shown = "";
  private count = FIRST;
  private urls: string[] = [];
  private readonly made = new Map<number, HTMLElement>();

  constructor(private readonly session: Session) {
    this.element.append(this.title, this.list, this.legend);
  }

  /** Read the image under the maps. */
  async load(): Promise<void> {
    const bytes = bytesOf(this.session.model.get("image"));
    if (bytes.length === 0) return;
    this.ground = pale(await bitmapOf(bytes));
    this.draw();
  }

  close(): void {
    this.release();
  }

  draw(): void {
    const { region, overlap } = this.session;
    const key = `${overlap.layer} ${region?.name}`;
    if (key !== this.shown) this.count = FIRST;
    this.shown = key;
    this.release();
    this.made.clear();
    fill(this.title, region ? `${region.name}: ${counted(region.size, "channel")}` : "No region");
    const found = region ? this.strongestFirst(region) : [];
    const cards = found.slice(0, this.count).map((channel) => this.card(channel, region as Region));
    const rest = found.length - cards.length;
    fill(
      this.list,
      ...cards,
      rest > 0 &&
        button(`Show ${Math.min(rest, FIRST)} more of ${rest}`, () => this.more(), {
          class: "hx-more",
        }),
    );
    this.writeLegend();
    this.weigh();
    this.emphasise();
    void this.session.fetch(() => this.wanted());
  }

  /** Put pictures that have come where they were waited for. */
  fillIn(): void {
    for (const [channel, card] of this.made) {
      const portrait = this.session.portrait(channel);
      const waiting = card.querySelector(".hx-to-come");
      if (waiting) waiting.replaceWith(this.pictures(channel, portrait));
    }
    this.weigh();
    this.writeLegend();
  }

  emphasise(): void {
    for (const [channel, card] of this.made) {
      const chosen = channel === this.session.channel;
      card.classList.toggle("hx-on", chosen);
      card.querySelector("button")?.setAttribute("aria-pressed", String(chosen));
    }
  }

  private more(): void {
    this.count += FIRST;
    this.draw();
  }

  private wanted(): number[] {
    const { region } = this.session;
    return region ? this.strongestFirst(region).slice(0, this.count) : [];
  }

  private strongestFirst(region: Region): number[] {
    const largest = (channel: number) =>
      Math.max(...region.classes.map((i) => this.session.weight(i, channel)));
    return [...region.channels].sort((a, b) => largest(b) - largest(a) || a - b);
  }

  private card(channel: number, region: Region): HTMLElement {
    const portrait = this.session.portrait(channel);
    const choose = button(`#${channel}`, () => this.toggle(channel), {
      class: "hx-card-name",
      "aria-label": `Choose channel ${channel}`,
    });
    const card = h(
      "article",
      { class: "hx-card", "data-channel": channel, "aria-label": `Channel ${channel}` },
      h("div", { class: "hx-card-head" }, choose, this.weights(channel, region)),
      this.pictures(channel, portrait),
    );
    card.addEventListener("click", (event) => {
      if (!(event.target as Element).closest("button")) this.toggle(channel);
    });
    this.made.set(channel, card);
    return card;
  }

  private toggle(channel: number): void {
    this.session.choose(channel === this.session.channel ? null : channel);
  }

  private weights(channel: number, region: Region): HTMLElement {
    const { classes, weights } = this.session.overlap;
    return h(
      "ul",
      { class: "hx-weights" },
      ...region.classes.map((i) => {
        const weight = this.session.weight(i, channel);
        const bar = h("i", { "aria-hidden": "true" });
        bar.style.width = `${(100 * weight) / Math.max(...(weights[i] ?? [1]), 1e-12)}%`;
        bar.style.background = tint(i);
        const name = classes[i] as string;
        return h(
          "li",
          { title: `${name}: importance ${number(weight)}` },
          short(name, "hx-name"),
          h("span", { class: "hx-track" }, bar),
          h("span", { class: "hx-number" }, number(weight)),
        );
      }),
    );
  }

  private pictures(channel: number, portrait: Portrait | null): HTMLElement {
    if (!portrait) {
      const { live, stalled } = this.session;
      const late = stalled ? "Its images did not come." : "Images are on their way …";
      const words = live ? late : "Its images were not saved.";
      const waits = live && !stalled ? " hx-waiting" : "";
      return h("p", { class: `hx-to-come${waits}` }, words);
    }
    const map = portrait.map && this.ground ? this.map(channel, portrait.map) : null;
    const strip = portrait.images.map((bytes, i) =>
      this.thumb(channel, bytes, portrait.values[i], i),
    );
    const { ranking } = portrait;
    return h(
      "div",
      { class: "hx-pictures" },
      map,
      h("div", { class: "hx-thumbs" }, ...strip),
      ranking && h("p", { class: "hx-ranking" }, ranking),
    );
  }

  private map(channel: number, grid: Grid): HTMLElement {
    const ground = this.ground as HTMLCanvasElement;
    const { low, high, strongest } = scaleOf(grid);
    const canvas = h("canvas", {
      ...scaled(ground, PIXELS),
      role: "img",
      "aria-label": `Map of channel ${channel} on the image, from ${number(low)} to ${number(high)}`,
    });
    const heat = colouredAt(grid, spread(grid, canvas.height, canvas.width), strongest);
    paintOver(canvas, ground, heat, OPACITY);
    return h(
      "figure",
      { class: "hx-map" },
      canvas,
      h("figcaption", {}, `to ${number(Math.max(-low, high))}`, h("span", { class: "hx-weak" })),
    );
  }

  /** Say under each map how weak it is beside the strongest that is shown. */
  private weigh(): void {
    const shown = [...this.made.keys()];
    const peaks = shown.map((channel) => {
      const map = this.session.portrait(channel)?.map;
      return map ? Math.max(...range(map).map(Math.abs)) : null;
    });
    for (const [i, channel] of shown.entries()) {
      const place = this.made.get(channel)?.querySelector(".hx-weak");
      if (place) place.textContent = weakly(this.session.words, peaks[i], peaks);
    }
  }

  private thumb(channel: number, bytes: Uint8Array<ArrayBuffer>, value = 0, i = 0): HTMLElement {
    const url = URL.createObjectURL(new Blob([bytes]));
    this.urls.push(url);
    const alt = `Image ${i + 1} of those where channel ${channel} is strongest: ${number(value)}`;
    return h("img", { src: url, alt, title: `mean activation ${number(value)}` });
  }

  private writeLegend(): void {
    this.legend.hidden = !this.list.querySelector(".hx-map");
    const ramp = h("span", { class: "hx-map-ramp", "aria-hidden": "true" });
    ramp.style.background = `${heatGradient(0, 1)}, #9a9a9a`;
    fill(
      this.legend,
      "Maps: 0 ",
      ramp,
      " each channel's strongest on this image. Pictures: the images where it is strongest.",
    );
  }

  private release(): void {
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
  }
}
