// The map looked at is checked against ablation where it is a sum over channels.
import { type Checkable, Checks } from "../lib/checking.ts";
import type { Selected } from "./arrangement.ts";
import type { Session } from "./session.ts";
import { spotOf } from "./sheet.ts";

const SUMMED = ["CHIP", "Grad-CAM"];

export type MapChecks = Checks<Selected>;

export function mapChecks(session: Session): MapChecks {
  return new Checks(session, {
    spot: (place) => spot(session, place),
    wanted: () => (session.hovered === null && session.current ? [session.current] : []),
    renewed: "sheet",
  });
}

/** What a map is to the kernel; null where it is no sum or is not there. */
function spot(session: Session, place: Selected): Checkable | null {
  const { method } = session.arrangement;
  const [target, layer] = place;
  if (!SUMMED.includes(method) || !session.cell(place) || typeof target !== "number") return null;
  return { key: spotOf(method, target, layer), fields: { method, target, layer } };
}
