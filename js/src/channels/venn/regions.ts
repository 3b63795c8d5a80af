// Regions of overlapping circles: their outlines, their exact areas, and where to write in them.

export interface Circle {
  readonly x: number;
  readonly y: number;
  readonly r: number;
}

export interface Region {
  /** Positions of the circles that contain the region; no other circle does. */
  readonly members: readonly number[];
  readonly area: number;
  /** Outline as an SVG path. */
  readonly path: string;
  /** The point farthest from every circle's line, and how far it is. */
  readonly at: readonly [x: number, y: number];
  readonly room: number;
}

interface Arc {
  readonly circle: Circle;
  readonly from: number;
  readonly to: number;
}

const CLOSE = 1e-9;
const GRID = 48;

/** Every region that has an area, by its members joined with dots. */
export function regionsOf(circles: readonly Circle[]): Map<string, Region> {
  const borders = bordersOf(circles);
  const regions = new Map<string, Region>();
  const whole = Math.max(0, ...circles.map(({ r }) => r * r));
  for (const [key, arcs] of borders) {
    const area = arcs.reduce((sum, arc) => sum + sweep(arc), 0);
    if (area <= whole * 1e-6) continue;
    const members = key.split(".").map(Number);
    regions.set(key, { members, area, path: pathOf(arcs), ...widest(circles, members) });
  }
  return regions;
}

/** Which circles contain a point. */
export function membersAt(circles: readonly Circle[], x: number, y: number): number[] {
  return [...circles.keys()].filter((i) => {
    const circle = circles[i] as Circle;
    return Math.hypot(x - circle.x, y - circle.y) < circle.r;
  });
}

// the arcs around every region, with the region to their left
function bordersOf(circles: readonly Circle[]): Map<string, Arc[]> {
  const borders = new Map<string, Arc[]>();
  const add = (members: number[], arc: Arc) => {
    if (members.length === 0) return;
    const key = members.sort((a, b) => a - b).join(".");
    borders.set(key, [...(borders.get(key) ?? []), arc]);
  };
  for (const [i, circle] of circles.entries()) {
    for (const [from, to] of partsOf(circles, i)) {
      const around = containing(circles, i, (from + to) / 2);
      add([...around, i], { circle, from, to });
      add(around, { circle, from: to, to: from });
    }
  }
  return borders;
}

function partsOf(circles: readonly Circle[], i: number): [number, number][] {
  const circle = circles[i] as Circle;
  if (circle.r <= 0) return [];
  const cuts = circles.flatMap((other, j) => (j === i ? [] : crossings(circle, other)));
  cuts.sort((a, b) => a - b);
  const first = cuts[0];
  if (first === undefined) return [[0, 2 * Math.PI]];
  return cuts
    .map((from, n): [number, number] => [from, cuts[n + 1] ?? first + 2 * Math.PI])
    .filter(([from, to]) => to - from > CLOSE);
}

// angles on `circle` where it crosses `other`, from 0 to a whole turn
function crossings(circle: Circle, other: Circle): number[] {
  const [dx, dy] = [other.x - circle.x, other.y - circle.y];
  const d = Math.hypot(dx, dy);
  const slack = CLOSE * (circle.r + other.r);
  if (d > circle.r + other.r - slack || d < Math.abs(circle.r - other.r) + slack) return [];
  const middle = Math.atan2(dy, dx);
  const half = Math.acos((d * d + circle.r ** 2 - other.r ** 2) / (2 * d * circle.r));
  const turn = 2 * Math.PI;
  return [middle - half, middle + half].map((angle) => ((angle % turn) + turn) % turn);
}

// of two circles on the same line, the first counts as the outer one
function containing(circles: readonly Circle[], i: number, angle: number): number[] {
  const own = circles[i] as Circle;
  const [x, y] = [own.x + own.r * Math.cos(angle), own.y + own.r * Math.sin(angle)];
  return [...circles.keys()].filter((j) => {
    const other = circles[j] as Circle;
    if (j === i) return false;
    const inside = other.r - Math.hypot(x - other.x, y - other.y);
    return Math.abs(inside) <= CLOSE * other.r * 100 ? j < i : inside > 0;
  });
}

// the arc's part of the area by Green's theorem
function sweep({ circle: { x, y, r }, from, to }: Arc): number {
  const across = x * (Math.sin(to) - Math.sin(from));
  const along = y * (Math.cos(to) - Math.cos(from));
  return (r * r * (to - from) + r * (across - along)) / 2;
}

function pointOn({ x, y, r }: Circle, angle: number): [number, number] {
  return [x + r * Math.cos(angle), y + r * Math.sin(angle)];
}

function pathOf(arcs: readonly Arc[]): string {
  const left = [...arcs];
  let path = "";
  for (let arc = left.shift(); arc; arc = left.shift()) {
    const start = pointOn(arc.circle, arc.from);
    path += `M${written(start)}${drawn(arc)}`;
    let end = pointOn(arc.circle, arc.to);
    while (left.length > 0 && distance(end, start) > 1e-6 * arc.circle.r) {
      const next = left.splice(nearest(left, end), 1)[0] as Arc;
      path += drawn(next);
      end = pointOn(next.circle, next.to);
    }
    path += "Z";
  }
  return path;
}

function nearest(arcs: readonly Arc[], [x, y]: readonly [number, number]): number {
  const far = arcs.map((arc) => distance(pointOn(arc.circle, arc.from), [x, y]));
  return far.indexOf(Math.min(...far));
}

function distance(a: readonly [number, number], b: readonly [number, number]): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

// in halves, because an arc of a whole turn would vanish
function drawn({ circle, from, to }: Arc): string {
  const sweepFlag = to > from ? 1 : 0;
  return [(from + to) / 2, to]
    .map((angle) => `A${circle.r} ${circle.r} 0 0 ${sweepFlag} ${written(pointOn(circle, angle))}`)
    .join("");
}

const written = ([x, y]: readonly [number, number]) => `${x.toFixed(3)} ${y.toFixed(3)}`;

function widest(circles: readonly Circle[], members: readonly number[]) {
  const inner = members.map((i) => circles[i] as Circle);
  const left = Math.max(...inner.map(({ x, r }) => x - r));
  const top = Math.max(...inner.map(({ y, r }) => y - r));
  const width = Math.min(...inner.map(({ x, r }) => x + r)) - left;
  const height = Math.min(...inner.map(({ y, r }) => y + r)) - top;
  const wanted = members.join(".");
  let best = { at: [left + width / 2, top + height / 2] as [number, number], room: 0 };
  for (let n = 0; n < GRID * GRID; n++) {
    const x = left + (width * ((n % GRID) + 0.5)) / GRID;
    const y = top + (height * (Math.floor(n / GRID) + 0.5)) / GRID;
    if (membersAt(circles, x, y).join(".") !== wanted) continue;
    const room = Math.min(...circles.map((c) => Math.abs(Math.hypot(x - c.x, y - c.y) - c.r)));
    if (room > best.room) best = { at: [x, y], room };
  }
  return best;
}
