// Which concepts are checked against ablation: the decision of each set, and what is looked at.
import { Checks } from "../lib/checking.ts";
import type { Wording } from "../lib/faith.ts";
import type { Concept, Part } from "./payload.ts";
import type { Session } from "./session.ts";

export const WORDING: Wording = { advice: "what it is said to rest on" };

/** A concept in one set. */
interface ConceptPart {
  readonly concept: Concept;
  readonly part: Part;
}

export type ConceptChecks = Checks<ConceptPart>;

export function conceptChecks(session: Session): ConceptChecks {
  return new Checks(session, {
    spot: ({ concept, part }) => ({
      key: `${part.set}|${concept.key}`,
      fields: { set: part.set, path: [...concept.path] },
    }),
    wanted: () => [session.inference.root, session.selected].flatMap(spots),
    renewed: "inference",
  });
}

/** A concept in every set in which it was inferred what it rests on. */
export function spots(concept: Concept): ConceptPart[] {
  return concept.known.filter((part) => part.inferred).map((part) => ({ concept, part }));
}
