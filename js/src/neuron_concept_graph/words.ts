// What the view says of concepts, neurons and scores.
import { counted, number, percent } from "../lib/words.ts";
import type { Session } from "./session.ts";

export function scored(session: Session, concept: number, neuron: number): string {
  const error = session.error(concept, neuron);
  const score = number(session.score(concept, neuron));
  return error === null ? score : `${score} ± ${number(error)}`;
}

/** How scores were found, and how sure they are. */
export function estimatorWords(session: Session): string {
  const { estimator, error } = session.graph;
  const named = session.model.get("estimators").find(([name]) => name === estimator);
  const sure =
    error === null
      ? "not sampled, so without a standard error"
      : `sampled, standard error at most ${number(error)}`;
  return `Scores by ${estimator}: ${named?.[1] ?? estimator} · ${sure}`;
}

export function conceptWords(session: Session, i: number): string {
  const { concepts, quality, flags } = session.graph;
  const { f1, chance } = quality[i] as { f1: number; chance: number };
  const known = flags[i]
    ? `doubtful: ${flags[i]}`
    : `F1 ${f1.toFixed(2)}, chance ${chance.toFixed(2)}`;
  const others = (session.tree[i]?.others ?? []).map((one) => concepts[one]);
  const also = others.length > 0 ? `, also below ${others.join(" and ")}` : "";
  const hidden = session.folded.has(i)
    ? `, ${counted(session.below[i] ?? 0, "concept")} folded in it`
    : "";
  return `${concepts[i]}, ${known}${also}${hidden}`;
}

export function neuronWords(session: Session, i: number): string {
  const served = session.links.filter(({ neuron }) => neuron === i).length;
  return `Neuron ${session.graph.neurons[i]}, linked to ${counted(served, "concept")}`;
}

/** Where the threshold stands. */
export function thresholdWords(session: Session): string {
  const { threshold, least } = session;
  if (threshold === 0) return "all scores";
  return `from ${number(least)}, ${percent(threshold)} of the largest`;
}
