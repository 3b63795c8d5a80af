// Marks of sets in a plot: outlines around zero, y downward, all of about the same area.

type Corner = readonly [x: number, y: number];

function regular(corners: number, radius: number, turn = 0): Corner[] {
  return Array.from({ length: corners }, (_, i) => {
    const angle = 2 * Math.PI * (i / corners + turn);
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

function star(): Corner[] {
  return Array.from({ length: 10 }, (_, i) => {
    const [angle, radius] = [(Math.PI * i) / 5, i % 2 ? 0.72 : 1.5];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

function cross(): Corner[] {
  const [a, b] = [0.45, 1.2];
  const arm: Corner[] = [
    [-a, -b],
    [a, -b],
    [a, -a],
  ];
  // an arm, turned by a quarter four times
  return [0, 1, 2, 3].flatMap((quarter) =>
    arm.map(([x, y]): Corner => {
      let corner: Corner = [x, y];
      for (let i = 0; i < quarter; i++) corner = [-corner[1], corner[0]];
      return corner;
    }),
  );
}

/** Disc, triangle, square, diamond, cross, triangle downward, star. */
const SHAPES: readonly (readonly Corner[])[] = [
  regular(32, 1),
  regular(3, 1.52),
  regular(4, 1.26, 0.125),
  regular(4, 1.28),
  cross(),
  regular(3, 1.52, 0.5),
  star(),
];
export const COLOURS = 6;

export function marker(set: number): readonly Corner[] {
  return SHAPES[set % SHAPES.length] as readonly Corner[];
}

/** As the outline of an SVG path. */
export function markerPath(set: number, size: number): string {
  const n = (value: number) => String(Math.round(value * size * 100) / 100);
  return `M${marker(set)
    .map(([x, y]) => `${n(x)},${n(y)}`)
    .join("L")}Z`;
}
