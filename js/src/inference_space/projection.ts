// Points in space as they are seen from a side: turned, scaled to a window, without perspective,
// so that distances stay comparable and an ellipsoid is seen as an ellipse exactly.

export type Vector = readonly [number, number, number];
export type Corners = readonly [low: Vector, high: Vector];

/** How space is turned, in degrees: yaw around the upright axis, pitch towards the viewer. */
export interface Turn {
  readonly yaw: number;
  readonly pitch: number;
  readonly zoom: number;
}

/** What is right, up and towards the viewer, in the axes of space. */
interface Basis {
  readonly right: Vector;
  readonly up: Vector;
  readonly toward: Vector;
}

export interface Seen {
  readonly x: number;
  readonly y: number;
  /** Towards the viewer, in units of space. */
  readonly near: number;
}

interface Ellipse {
  readonly rx: number;
  readonly ry: number;
  /** Of the longer half axis, clockwise on the screen. */
  readonly angle: number;
}

interface Room {
  readonly width: number;
  readonly height: number;
  /** Kept free at the sides, and above and below. */
  readonly aside: number;
  readonly above: number;
}

export const FIRST: Turn = { yaw: 32, pitch: 20, zoom: 1 };
const ZOOM = { least: 0.4, most: 8 };
const REFERENCE = radians(24); // the tilt for which the box is fitted: tilting is not to zoom

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

export function basis({ yaw, pitch }: Turn): Basis {
  const [c, s] = [Math.cos(radians(yaw)), Math.sin(radians(yaw))];
  const [cp, sp] = [Math.cos(radians(pitch)), Math.sin(radians(pitch))];
  return { right: [c, -s, 0], up: [s * sp, c * sp, cp], toward: [-s * cp, -c * cp, sp] };
}

/** Turned by degrees; what is in front follows the hand. */
export function turned(turn: Turn, dx: number, dy: number): Turn {
  const yaw = ((((turn.yaw + dx + 180) % 360) + 360) % 360) - 180;
  return { ...turn, yaw, pitch: Math.min(90, Math.max(-90, turn.pitch + dy)) };
}

export function zoomed(turn: Turn, factor: number): Turn {
  return { ...turn, zoom: Math.min(ZOOM.most, Math.max(ZOOM.least, turn.zoom * factor)) };
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** How many pixels a unit has so that the box fits however it is turned from side to side. */
export function fitted([low, high]: Corners, room: Room): number {
  const around = Math.hypot(high[0] - low[0], high[1] - low[1]) / 2;
  const z = (high[2] - low[2]) / 2;
  const tall = z * Math.cos(REFERENCE) + around * Math.sin(REFERENCE);
  return Math.max(
    1e-9,
    Math.min((room.width / 2 - room.aside) / around, (room.height / 2 - room.above) / tall),
  );
}

/** Space as it is seen in a window. */
export class Sight {
  readonly basis: Basis;
  readonly scale: number;
  private readonly middle: Vector;

  constructor(
    readonly corners: Corners,
    turn: Turn,
    private readonly room: Room,
  ) {
    const [low, high] = corners;
    this.basis = basis(turn);
    this.scale = fitted(corners, room) * turn.zoom;
    this.middle = [0, 1, 2].map((i) => ((low[i] as number) + (high[i] as number)) / 2) as never;
  }

  see(point: Vector): Seen {
    const from = point.map((value, i) => value - (this.middle[i] as number)) as never;
    return {
      x: this.room.width / 2 + this.scale * dot(this.basis.right, from),
      y: this.room.height / 2 - this.scale * dot(this.basis.up, from),
      near: dot(this.basis.toward, from),
    };
  }

  /** The outline of an ellipsoid with these half axes. */
  ellipse(axes: readonly Vector[]): Ellipse {
    let [a, b, d] = [0, 0, 0];
    for (const axis of axes) {
      const [u, v] = [dot(this.basis.right, axis), -dot(this.basis.up, axis)];
      a += u * u;
      b += u * v;
      d += v * v;
    }
    const [mean, apart] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
    return {
      rx: this.scale * Math.sqrt(mean + apart),
      ry: this.scale * Math.sqrt(Math.max(0, mean - apart)),
      angle: Math.atan2(2 * b, a - d) / 2,
    };
  }

  /** For each axis the side of the box that lies behind: 0 the least, 1 the largest. */
  get behind(): [number, number, number] {
    return this.basis.toward.map((toward) => (toward >= 0 ? 0 : 1)) as never;
  }

  /** The corners of the three sides of the box that lie behind. */
  walls(): Seen[][] {
    return [0, 1, 2].map((axis) => {
      const [j, k] = [0, 1, 2].filter((i) => i !== axis) as [number, number];
      return [
        [0, 0],
        [0, 1],
        [1, 1],
        [1, 0],
      ].map(([first, second]) => {
        const sides = [...this.behind];
        sides[j] = first as number;
        sides[k] = second as number;
        return this.corner(sides);
      });
    });
  }

  /** The edge of the box that an axis is named at: one between a side in front and one behind, so
   * that nothing lies under the name; the lower one, of the upright axis the left one. */
  edge(axis: number): [Seen, Seen] {
    const others = [0, 1, 2].filter((i) => i !== axis);
    const edges = others.map((front) => {
      const sides = [...this.behind];
      sides[front] = 1 - (sides[front] as number);
      return [0, 1].map((end) => {
        sides[axis] = end;
        return this.corner(sides);
      }) as [Seen, Seen];
    });
    const rank = ([start, end]: [Seen, Seen]) =>
      axis === 2 ? start.x + end.x : -(start.y + end.y);
    return edges.reduce((best, one) => (rank(one) < rank(best) ? one : best));
  }

  private corner(sides: readonly number[]): Seen {
    return this.see(sides.map((side, i) => this.corners[side as 0 | 1][i] as number) as never);
  }
}

/** From 0, the farthest of the points, to 1, the nearest; 1 where all are equally far. */
export function depths(points: readonly Seen[]): number[] {
  const near = points.map((one) => one.near);
  const [low, high] = [Math.min(...near), Math.max(...near)];
  return near.map((value) => (high > low ? (value - low) / (high - low) : 1));
}

/** Their places, the farthest first, so that what is near is drawn over it. */
export function backToFront(points: readonly Seen[]): number[] {
  return points.map((_, i) => i).sort((i, j) => (points[i]?.near ?? 0) - (points[j]?.near ?? 0));
}

/** The point at a place on the screen, no farther than `reach` pixels; null where there is none. */
export function hit(points: readonly Seen[], x: number, y: number, reach: number): number | null {
  let [found, least]: [number | null, number] = [null, reach];
  points.forEach((point, i) => {
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance > least) return;
    if (distance === least && found !== null && (points[found]?.near ?? 0) > point.near) return;
    [found, least] = [i, distance];
  });
  return found;
}
