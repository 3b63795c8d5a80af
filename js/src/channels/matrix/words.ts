// Cells and classes in words.
import { number, percent } from "../../lib/words.ts";
import type { Cell, Session } from "./session.ts";
import type { MatrixPayload } from "./weights.ts";

export function sparsity(payload: MatrixPayload, row: number): string {
  const count = payload.nonzero[row] as number;
  return `${count} of ${payload.channels} channels (${percent(count / Math.max(1, payload.channels))})`;
}

export function fitted(payload: MatrixPayload, row: number): string {
  const fit = payload.fit[row];
  return fit === null || fit === undefined ? "not known" : fit.toFixed(2).replace("-", "−");
}

export function rowWords(payload: MatrixPayload, row: number): string {
  const flag = payload.flags[row] ? ` Doubtful: ${payload.flags[row]}.` : "";
  return `${payload.classes[row]}: ${sparsity(payload, row)}, R² ${fitted(payload, row)}.${flag}`;
}

export function cellWords(session: Session, { row, channel }: Cell): string {
  const { weights, payload, scaled } = session;
  if (!weights) return "";
  const weight = weights.value(row, channel, false);
  const mean = weights.means[channel] as number;
  const shared = payload.shared[channel] as number;
  const value = scaled
    ? `${number(weights.value(row, channel, true))} = weight ${number(weight)} × mean activation ${number(mean)}`
    : `weight ${number(weight)}, mean activation ${number(mean)}`;
  const who = shared === 1 ? "it speaks for 1 class" : `it speaks for ${shared} classes`;
  return `${payload.classes[row]}, channel ${channel}: ${value}; ${who}.`;
}
