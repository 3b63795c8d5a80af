// The keyboard on the tree and on the neurons.
import { press } from "../lib/controls.ts";
import type { Session } from "./session.ts";

interface Focuser {
  concept(i: number): void;
  neuron(i: number): void;
}

/** Up and down along the rows, right and left to unfold and fold, Enter chooses, Escape clears. */
export function walkTree(session: Session, event: KeyboardEvent, focus: Focuser): void {
  const name = (event.target as HTMLElement).dataset.concept ?? "";
  const here = session.graph.concepts.indexOf(name);
  const rows = session.shape.rows.map(({ of }) => of);
  const at = rows.indexOf(here);
  if (at < 0) return;
  const { children = [], parent = -1 } = session.tree[here] ?? {};
  const folded = session.folded.has(here);
  const go = (i: number | undefined) => () => i !== undefined && i >= 0 && focus.concept(i);
  press(event, {
    ArrowDown: go(rows[at + 1]),
    ArrowUp: go(rows[at - 1]),
    ArrowRight: folded ? () => session.fold(here, false) : go(children[0]),
    ArrowLeft: children.length > 0 && !folded ? () => session.fold(here, true) : go(parent),
    Home: go(rows[0]),
    End: go(rows.at(-1)),
    Enter: () => session.chooseConcept(here),
    " ": () => session.chooseConcept(here),
    Escape: () => session.clear(),
  });
}

/** Up and down along the neurons, Enter chooses, Escape clears. */
export function walkNeurons(session: Session, event: KeyboardEvent, focus: Focuser): void {
  const number = Number((event.target as HTMLElement).dataset.neuron ?? -1);
  const here = session.graph.neurons.indexOf(number);
  const order = session.shape.neurons.map(({ of }) => of);
  const at = order.indexOf(here);
  if (at < 0) return;
  const go = (i: number | undefined) => () => i !== undefined && focus.neuron(i);
  press(event, {
    ArrowDown: go(order[at + 1]),
    ArrowUp: go(order[at - 1]),
    ArrowLeft: toConcept(session, here, focus),
    Home: go(order[0]),
    End: go(order.at(-1)),
    Enter: () => session.chooseNeuron(here),
    " ": () => session.chooseNeuron(here),
    Escape: () => session.clear(),
  });
}

// back to the concept that the neuron serves most, of those that are seen
function toConcept(session: Session, neuron: number, focus: Focuser): () => void {
  const mine = session.shape.ribbons.filter(({ bundle }) => bundle.neuron === neuron);
  const [first] = mine.sort((a, b) => b.bundle.score - a.bundle.score);
  return () => first && focus.concept(first.bundle.row);
}
