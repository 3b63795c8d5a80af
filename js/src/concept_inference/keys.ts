// The keyboard in the tree: one key, one act, on the card that has the focus.
import { type Acts, KeySheet, type Keys, modified, press, treeActs } from "../lib/keys.ts";
import type { Concept } from "./payload.ts";
import type { Session } from "./session.ts";
import type { Stage } from "./stage.ts";

const KEYS: Keys = [
  ["→", "to the strongest concept below, opening what is folded"],
  ["←", "to the concept above"],
  ["↑  ↓", "to the concept before or after in its level"],
  ["Home  End", "to the decision, to the last concept"],
  ["Enter  Space", "open or fold"],
  ["?", "show or hide these keys"],
  ["Esc", "cancel, close"],
];

export class ConceptKeys {
  readonly sheet: KeySheet;
  private readonly acts: Acts<[Concept]>;

  constructor(
    private readonly session: Session,
    private readonly stage: Stage,
  ) {
    this.sheet = new KeySheet(KEYS, () => stage.focus(session.selected));
    this.acts = {
      ...treeActs<Concept>({
        root: () => session.inference.root,
        inOrder: () => stage.inOrder(),
        focus: (concept) => stage.focus(concept),
        inward: (concept) => this.inward(concept),
        toggle: (concept) => stage.toggle(concept),
      }),
      "?": () => this.sheet.toggle(),
      Escape: () => session.kernel.cancel(),
    };
  }

  press(event: KeyboardEvent): void {
    if (modified(event)) return;
    const concept = this.stage.at(event.target);
    if (concept) press(event, this.acts, concept);
  }

  private inward(concept: Concept): void {
    const [first] = concept.children;
    if (!first) return;
    if (!this.session.open.has(concept.key)) this.stage.toggle(concept);
    this.stage.focus(first);
  }
}
