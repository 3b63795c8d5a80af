// From one arrangement to the next: everything that stays slides to its new place.

import { reducedMotion } from "../lib/dom.ts";
import type { RibbonLayout, Slab } from "./ribbons.ts";

const TIME = 320;

/** Where things are at a moment: rows and neurons by number, ribbons by key. */
export interface Frame {
  readonly rows: Map<number, Slab>;
  readonly neurons: Map<number, Slab>;
  readonly ribbons: Map<string, readonly [from: number, to: number, width: number]>;
  readonly height: number;
}

export function frameOf(shape: RibbonLayout): Frame {
  return {
    rows: new Map(shape.rows.map((one) => [one.of, one])),
    neurons: new Map(shape.neurons.map((one) => [one.of, one])),
    ribbons: new Map(
      shape.ribbons.map(({ bundle, from, to, width }) => [
        `${bundle.row} ${bundle.neuron}`,
        [from, to, width],
      ]),
    ),
    height: shape.height,
  };
}

/** The frame a part `t` of the way; what is new starts where `start` says, or is there at once. */
export function between(
  last: Frame,
  next: Frame,
  t: number,
  start: (row: number) => number | undefined,
): Frame {
  const mix = (a: number, b: number) => a + (b - a) * t;
  const slab = (of: number, to: Slab, from: Slab | undefined): Slab =>
    from ? { of, y: mix(from.y, to.y), height: mix(from.height, to.height) } : to;
  const rows = new Map<number, Slab>();
  for (const [of, to] of next.rows) rows.set(of, slab(of, to, last.rows.get(start(of) ?? of)));
  const neurons = new Map<number, Slab>();
  for (const [of, to] of next.neurons) neurons.set(of, slab(of, to, last.neurons.get(of)));
  const ribbons = new Map<string, readonly [number, number, number]>();
  for (const [key, to] of next.ribbons) {
    const from = last.ribbons.get(key) ?? [to[0], to[1], 0];
    ribbons.set(key, [mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2])]);
  }
  return { rows, neurons, ribbons, height: mix(last.height, next.height) };
}

export class Motion {
  now: Frame | null = null;
  private running = 0;

  constructor(private readonly draw: (frame: Frame) => void) {}

  go(next: Frame, start: (row: number) => number | undefined): void {
    cancelAnimationFrame(this.running);
    const last = this.now;
    if (!last || reducedMotion()) {
      this.show(next);
      return;
    }
    const begun = performance.now();
    const step = () => {
      const part = Math.min(1, (performance.now() - begun) / TIME);
      this.show(part < 1 ? between(last, next, part * part * (3 - 2 * part), start) : next);
      if (part < 1) this.running = requestAnimationFrame(step);
    };
    step();
  }

  stop(): void {
    cancelAnimationFrame(this.running);
  }

  private show(frame: Frame): void {
    this.now = frame;
    this.draw(frame);
  }
}
