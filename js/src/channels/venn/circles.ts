// Two or three classes as circles whose areas are numbers of channels; regions that are brought out.

import { fill, h, svg } from "../../lib/dom.ts";
import { counted, percent, shortened } from "../../lib/words.ts";
import { tint } from "./classes.ts";
import { type Diagram, diagram } from "./layout.ts";
import type { Circle } from "./regions.ts";
import type { Region, Session } from "./session.ts";

/** Bring out the shapes of regions, each by its region's key. */
export function emphasise(shapes: ReadonlyMap<string, Element>, session: Session): void {
  const { region, marked, hovered } = session;
  for (const [key, shape] of shapes) {
    shape.classList.toggle("hx-on", key === region?.key);
    shape.classList.toggle("hx-hovered", key === hovered?.key);
    shape.classList.toggle("hx-marked", key === marked?.key);
    shape.setAttribute("aria-pressed", String(key === region?.key));
  }
}

const TALLEST = 430;
const EXACT = 0.005;
const LETTER = 7.9;

export class Circles {
  readonly element = h("figure", { class: "hx-venn" });
  private readonly paths = new Map<string, SVGPathElement>();

  constructor(private readonly session: Session) {}

  draw(width: number): void {
    const { regions, overlap } = this.session;
    this.paths.clear();
    if (regions.length === 0) {
      fill(this.element, h("p", { class: "hx-empty" }, "No class has an important channel here."));
      return;
    }
    const drawn = diagram(
      regions,
      overlap.classes.length,
      width,
      Math.min(TALLEST, width * 0.95, Math.max(240, innerHeight * 0.4)),
    );
    const canvas = svg(
      "svg",
      {
        viewBox: `0 0 ${drawn.width} ${drawn.height}`,
        role: "group",
        "aria-label": "Venn diagram",
      },
      ...drawn.circles.map((circle, i) => disc(circle, i)),
      ...[...drawn.regions].map(([key, one]) => this.region(key, one.path)),
      ...[...drawn.regions].map(([key, one]) => this.count(key, one)),
      ...this.names(drawn),
    );
    canvas.style.maxWidth = `${drawn.width}px`;
    fill(this.element, canvas, h("figcaption", {}, this.caption(drawn)));
    this.emphasise();
  }

  emphasise(): void {
    emphasise(this.paths, this.session);
  }

  private find(key: string): Region | undefined {
    return this.session.regions.find((one) => one.key === key);
  }

  private region(key: string, d: string): SVGPathElement {
    const region = this.find(key);
    const path = svg("path", { class: "hx-region", d });
    if (!region) return path;
    const label = `${region.name}: ${counted(region.size, "channel")}`;
    const dressed = { role: "button", tabindex: 0, "aria-label": label, "data-region": key };
    for (const [name, value] of Object.entries(dressed)) path.setAttribute(name, String(value));
    path.append(svg("title", {}, label));
    this.paths.set(key, path);
    listen(
      path,
      () => this.session.look(region),
      (on) => this.session.hover(on ? region : null),
    );
    return path;
  }

  private count(key: string, one: { at: readonly [number, number]; room: number }) {
    const size = this.find(key)?.size ?? 0;
    const letters = Math.max(11, Math.min(26, one.room * 0.95));
    const text = svg("text", { class: "hx-count", x: one.at[0], y: one.at[1] }, String(size));
    text.style.fontSize = `${letters}px`;
    return text;
  }

  // above circles of the upper half, below the others; one line up where two would meet
  private names({ circles, width }: Diagram): SVGTextElement[] {
    const middle = circles.reduce((sum, { y }) => sum + y, 0) / circles.length;
    const { classes } = this.session.overlap;
    const taken: { from: number; to: number; y: number }[] = [];
    return circles.map((circle, i) => {
      const name = shortened(classes[i] as string, Math.floor(width / 2 / LETTER));
      const half = (name.length * LETTER) / 2;
      const x = Math.min(width - half, Math.max(half, circle.x));
      const above = circle.y <= middle + 1;
      let y = above ? circle.y - circle.r - 8 : circle.y + circle.r + 18;
      const meets = () =>
        taken.some((one) => x - half < one.to && x + half > one.from && Math.abs(one.y - y) < 15);
      while (meets()) y += above ? -16 : 16;
      taken.push({ from: x - half, to: x + half, y });
      const whole = svg("title", {}, classes[i] as string);
      const text = svg("text", { class: "hx-set", x, y }, name, whole);
      text.style.fill = `color-mix(in srgb, ${tint(i)} 60%, var(--hx-ink))`;
      return text;
    });
  }

  /** What the areas are worth. */
  private caption({ misfit, regions }: Diagram): string {
    const { classes } = this.session.overlap;
    const lost = this.session.regions.filter((one) => !regions.has(one.key));
    const missing = lost.map(
      (one) => `${one.name} (${counted(one.size, "channel")}) has no area here.`,
    );
    if (misfit.total < EXACT) return "Areas are exact: one channel, one unit of area.";
    const off = `Areas are off by ${percent(misfit.total)} in all: ${classes.length} circles cannot always show these numbers.`;
    const { worst } = misfit;
    const found = worst && this.session.regions.find((one) => one.key === worst.key);
    const most =
      worst && found && regions.has(worst.key)
        ? `Farthest off: “${found.name}”, ${counted(worst.size, "channel")} drawn as ${worst.drawn.toFixed(1)}.`
        : "";
    return [off, most, ...missing, "The numbers in them are right."].filter(Boolean).join(" ");
  }
}

function disc({ x, y, r }: Circle, i: number): SVGCircleElement {
  const circle = svg("circle", { class: "hx-disc", cx: x, cy: y, r });
  circle.style.fill = circle.style.stroke = tint(i);
  return circle;
}

/** Choose by click, Enter and space; look ahead by pointer and focus. */
export function listen(
  element: SVGElement | HTMLElement,
  choose: () => void,
  hover: (on: boolean) => void,
) {
  element.addEventListener("click", choose);
  element.addEventListener("keydown", (event) => {
    const { key } = event as KeyboardEvent;
    if (key !== "Enter" && key !== " ") return;
    event.preventDefault();
    choose();
  });
  for (const [kind, on] of [
    ["pointerenter", true],
    ["pointerleave", false],
  ] as const)
    element.addEventListener(kind, () => hover(on));
}
