// Which concepts are checked against ablation: the decision of each set, and what is looked at.
import { type Checkable, Checking } from "../lib/checking.ts";
import type { Check, State, Wording } from "../lib/faith.ts";
import type { Concept, Part } from "./payload.ts";
import type { Session } from "./session.ts";

export const WORDING: Wording = { advice: "what it is said to rest on" };

export class ConceptChecks {
  private readonly checking: Checking;

  constructor(private readonly session: Session) {
    const wishes = {
      told: () => session.tell("checks"),
      wanted: () => [session.inference.root, session.selected].flatMap(spots),
    };
    this.checking = new Checking(session, wishes);
    session.on((change) => {
      if (change === "inference") this.checking.forget();
      this.checking.consider();
    });
  }

  start(): void {
    this.checking.start();
  }

  state(concept: Concept, part: Part): State {
    return this.checking.state(spot(concept, part).key);
  }

  check(concept: Concept, part: Part): Check | null {
    return this.session.check(spot(concept, part).key);
  }

  run(concept: Concept, part: Part): void {
    void this.checking.run(spot(concept, part));
  }

  /** Check a concept in every set that has it, as far as it is not known. */
  runAll(concept: Concept): Promise<void> {
    return this.checking.runAll(spots(concept));
  }
}

/** A concept in every set in which it was inferred what it rests on. */
function spots(concept: Concept): Checkable[] {
  return concept.known.filter((part) => part.inferred).map((part) => spot(concept, part));
}

function spot(concept: Concept, part: Part): Checkable {
  return {
    key: `${part.set}|${concept.key}`,
    fields: { set: part.set, path: [...concept.path] },
  };
}
