// The keyboard in the tree: one key, one act, on the card that has the focus.
import { button, fill, h } from "../lib/dom.ts";
import type { Concept } from "./payload.ts";
import type { Session } from "./session.ts";
import type { Stage } from "./stage.ts";

type Act = (concept: Concept) => void;

/** A sheet that tells the keys of a view; `back` is where the focus goes when it closes. */
export class KeySheet {
  readonly element = h("div", {
    class: "hx-sheet",
    role: "dialog",
    "aria-label": "Keys",
    hidden: true,
  });

  constructor(
    keys: readonly (readonly [string, string])[],
    private readonly back: () => void,
  ) {
    const actions = h(
      "div",
      { class: "hx-actions" },
      button("Close", () => this.toggle()),
    );
    this.element.append(
      h("h3", {}, "Keys"),
      h("dl", {}, ...keys.flatMap(([key, act]) => [h("dt", {}, key), h("dd", {}, act)])),
      actions,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle();
    });
  }

  get hint(): HTMLButtonElement {
    const hint = button("", () => this.toggle());
    fill(hint, "Keys ", h("kbd", {}, "?"));
    return hint;
  }

  toggle(): void {
    this.element.hidden = !this.element.hidden;
    if (this.element.hidden) this.back();
    else this.element.querySelector("button")?.focus();
  }
}

const KEYS = [
  ["→", "to the strongest concept below, opening what is folded"],
  ["←", "to the concept above"],
  ["↑  ↓", "to the concept before or after in its level"],
  ["Home  End", "to the decision, to the last concept"],
  ["Enter  Space", "open or fold"],
  ["?", "show or hide these keys"],
  ["Esc", "cancel, close"],
] as const;

export class TreeKeys {
  readonly sheet: KeySheet;
  private readonly acts: Record<string, Act>;

  constructor(
    private readonly session: Session,
    private readonly stage: Stage,
  ) {
    this.sheet = new KeySheet(KEYS, () => stage.focus(session.selected));
    const move = (next: Concept | null | undefined) => next && stage.focus(next);
    this.acts = {
      ArrowRight: (one) => this.inward(one),
      ArrowLeft: (one) => move(one.parent),
      ArrowDown: (one) => move(this.beside(one, 1)),
      ArrowUp: (one) => move(this.beside(one, -1)),
      Home: () => move(session.inference.root),
      End: () => move(stage.inOrder().at(-1)),
      Enter: (one) => stage.toggle(one),
      " ": (one) => stage.toggle(one),
      "?": () => this.sheet.toggle(),
      Escape: () => session.kernel.cancel(),
    };
  }

  press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = this.acts[event.key];
    const concept = this.stage.at(event.target);
    if (!act || !concept) return;
    event.preventDefault();
    event.stopPropagation();
    act(concept);
  }

  private inward(concept: Concept): void {
    const [first] = concept.children;
    if (!first) return;
    if (!this.session.open.has(concept.key)) this.stage.toggle(concept);
    this.stage.focus(first);
  }

  private beside(concept: Concept, by: number): Concept | undefined {
    const peers = this.stage.inOrder().filter((one) => one.depth === concept.depth);
    return peers[peers.indexOf(concept) + by];
  }
}
