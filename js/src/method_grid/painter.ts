// A cell's map over its image, on a canvas as large as it is shown.
import type { Place } from "../lib/cells.ts";
import { coloured, paintOver } from "../lib/heat.ts";
import type { Grid } from "../lib/pixels.ts";
import type { Session } from "./session.ts";
import { mapAt, strongest } from "./sheet.ts";

/** Give a canvas as many pixels as the screen shows of it; whether it is seen at all. */
function fitted(canvas: HTMLCanvasElement): boolean {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (width === 0 || height === 0) return false;
  Object.assign(canvas, { width, height });
  return true;
}

export function paintImage(session: Session, canvas: HTMLCanvasElement, row: number): void {
  const image = session.images[row];
  if (image && fitted(canvas)) paintOver(canvas, image.plain, null, 1);
}

export function paintCell(session: Session, canvas: HTMLCanvasElement, place: Place): void {
  const { sheet, scale, signed, opacity } = session;
  const image = session.images[place.row];
  const map = mapAt(sheet, place);
  if (!image || map < 0 || !fitted(canvas)) return;
  const own = session.drawn[map];
  if (own) paintOver(canvas, own, null, 1);
  else {
    const heat = coloured(session.maps[map] as Grid, strongest(sheet, map, scale, signed), signed);
    paintOver(canvas, image.pale, heat, opacity);
  }
}
