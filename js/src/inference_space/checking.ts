// Which points are checked against ablation: those chosen, then all, as long as it is quick.
import { Checks } from "../lib/checking.ts";
import type { Check } from "../lib/faith.ts";
import type { Session } from "./session.ts";

export function pointChecks(session: Session): Checks<number> {
  return new Checks(session, {
    spot: (point) => ({ key: String(point), fields: { point } }),
    wanted: () => [...session.points, ...session.space.points.keys()],
  });
}

/** The checks of points as one: their mean, and the point that agrees least. */
export function together(checks: ReadonlyMap<string, Check>): Check | null {
  const known = [...checks].filter(([, check]) => check.r !== null);
  const [first] = known;
  if (!first) return null;
  const values = known.map(([, check]) => check.r as number);
  const least = Math.min(...values);
  const mean = values.reduce((sum, r) => sum + r, 0) / values.length;
  const name = known[values.indexOf(least)]?.[0] ?? "";
  const { count, parts } = first[1];
  return { r: mean, count, parts, images: known.length, least: { r: least, name } };
}
