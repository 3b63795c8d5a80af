// Facts of a heatmap in words: what is read on the screen and by a screen reader.
import { number, percent, stageName } from "../lib/words.ts";
import type { Selected } from "./session.ts";
import type { HeatCell, Sheet } from "./sheet.ts";

const SHORT: Record<string, string> = {
  "Refined CHIP": "Refined",
  "Guided CHIP": "Guided",
  "guided backpropagation": "Guided backprop",
};

const ABOUT: Record<string, string> = {
  CHIP: "The layer's channels, weighed by what they matter for the class over the data set.",
  "Refined CHIP":
    "The plain sums of the first and the last layer multiplied: fine, and of the class.",
  "Guided CHIP": "The map of CHIP times guided backpropagation.",
  "Grad-CAM": "The layer's channels, weighed by their gradients in this image alone.",
  "Guided Grad-CAM": "Grad-CAM times guided backpropagation.",
  "guided backpropagation": "The gradient at the pixels through positive signals only.",
};

export function methodLabel(method: string): string {
  return SHORT[method] ?? method;
}

export function aboutMethod(method: string): string {
  return ABOUT[method] ?? method;
}

/** The image's strongest other classes, as many as maps are held against. */
function others(rivals: number): string {
  return rivals === 1
    ? "the image's strongest other class"
    : `the image's ${rivals} strongest other classes`;
}

/** What the places of maps are held against, or that they are not. */
export function contestWords(rivals: number): string {
  return rivals > 0
    ? `Held against ${others(rivals)}: a place counts as far as it speaks for the class and not for them.`
    : "Plain sums: a place counts for a class even where it speaks as much for others.";
}

/** The same in few words. */
export function contestShort(rivals: number): string {
  return rivals > 0
    ? `against ${rivals} other ${rivals === 1 ? "class" : "classes"}`
    : "the plain sum";
}

/** Whether a method has maps that are held against other classes. */
function contestable(sheet: Sheet, method: string): boolean {
  return sheet.payload.methods.find((one) => one.name === method)?.contested ?? false;
}

/** What the places of a map are held against, with the names of the classes. */
function contest(sheet: Sheet, cell: HeatCell): string {
  if (!contestable(sheet, cell.method)) return "";
  if (cell.rivals === 0)
    return "The plain sum: a place counts for the class even where it speaks as much for others.";
  const named = cell.against.length > 0 ? ` (${cell.against.join(", ")})` : "";
  return `Held against ${others(cell.rivals)}${named}: a place counts as far as it speaks for the class and not for them.`;
}

/** What a column is called. */
export function layerTitle(sheet: Sheet, name: string): string {
  const layer = sheet.layer(name);
  return layer ? stageName(layer) : name;
}

export function cellTitle(sheet: Sheet, [target, layer]: Selected): string {
  const name = sheet.name(target);
  return layer === "" ? name : `${name}, ${layerTitle(sheet, layer).toLowerCase()}`;
}

function layerLine(sheet: Sheet, cell: HeatCell): string {
  const layer = sheet.layer(cell.of);
  const own = layer && layer.shape[1] === cell.grid[0] && layer.shape[2] === cell.grid[1];
  const size = (own ? layer.shape : cell.grid).join(" × ");
  return `${cell.method} · ${cell.of} · ${size}`;
}

function channels(cell: HeatCell, sparsity: number | null): string {
  if (!cell.channels) return "";
  const at = sparsity === null ? "" : ` at sparsity ${number(sparsity)}`;
  return `${cell.channels[0]} of ${cell.channels[1]} channels have a weight other than zero${at}.`;
}

function box(cell: HeatCell): string {
  if (!cell.boxed) return "";
  if (cell.foreign)
    return "The box that was saved with this map is that of the plain sum, and is not drawn.";
  if (!cell.box || cell.threshold === null) return "It points at no region: there is no box.";
  const [x0, y0, x1, y1] = cell.box;
  return (
    `Box of what reaches ${percent(cell.threshold)} of ${measureOf(cell)}: ` +
    `${x1 - x0} × ${y1 - y0} pixels from (${x0}, ${y0}).`
  );
}

/** What a box's threshold is a share of: a logit has no zero of its own. */
function measureOf(cell: HeatCell): string {
  return cell.method === "HINT"
    ? "the way from the smallest value to the largest"
    : "the largest value";
}

function values(cell: HeatCell): string {
  const against = cell.low < 0 ? `, against it up to ${number(-cell.low)}` : "";
  return cell.high <= 0
    ? "Nothing in the image speaks for the class here."
    : `Speaks for the class with up to ${number(cell.high)} in a cell${against}.`;
}

/** The facts of a map: its layer, then plain sentences. */
export function facts(sheet: Sheet, cell: HeatCell): [layer: string, ...sentences: string[]] {
  const told = [
    contest(sheet, cell),
    cell.picture ? "" : values(cell),
    channels(cell, sheet.payload.sparsity),
    box(cell),
    ...cell.notes,
  ];
  return [layerLine(sheet, cell), ...told.filter(Boolean)];
}

/** One line for a screen reader. */
export function spoken(
  sheet: Sheet,
  place: Selected,
  cell: HeatCell | null,
  error: string | null,
): string {
  const title = cellTitle(sheet, place);
  if (error !== null) return `${title}: ${error}`;
  if (!cell) return `${title}: no map yet`;
  const counted = cell.channels ? `, ${cell.channels[0]} of ${cell.channels[1]} channels` : "";
  const held = contestable(sheet, cell.method) ? `, ${contestShort(cell.rivals)}` : "";
  return `${title}, ${cell.method}${held}, from ${number(cell.low)} to ${number(cell.high)}${counted}`;
}
