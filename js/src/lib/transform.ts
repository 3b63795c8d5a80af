// Where the plane lies under the window: a point p is seen at p * k + (x, y).
import type { Place } from "../decomposition_tree/geometry.ts";

export interface Transform {
  readonly x: number;
  readonly y: number;
  readonly k: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const ZOOM = { least: 0.08, most: 4 };

export function clampZoom(k: number): number {
  return Math.min(ZOOM.most, Math.max(ZOOM.least, k));
}

/** The plane so that `box` fills the window but for `margin`, no larger and smaller than told. */
export function fitting(box: Place, window: Size, margin: number, least: number, most: number) {
  const k = Math.min(
    most,
    Math.max(
      least,
      Math.min(
        (window.width - 2 * margin) / Math.max(1, box.width),
        (window.height - 2 * margin) / Math.max(1, box.height),
      ),
    ),
  );
  return {
    k,
    x: start(box.x, box.width, window.width),
    y: start(box.y, box.height, window.height),
  };

  // centred where there is room, else from the beginning
  function start(from: number, length: number, room: number): number {
    const free = room - length * k;
    return (free >= 2 * margin ? free / 2 : margin) - from * k;
  }
}

/** Zoomed by `factor` so that the window's point `(x, y)` stays where it is. */
export function zoomAt(now: Transform, x: number, y: number, factor: number): Transform {
  const k = clampZoom(now.k * factor);
  const grown = k / now.k;
  return { k, x: x - (x - now.x) * grown, y: y - (y - now.y) * grown };
}

/** Moved as little as needed to have `place` in the window. */
export function reveal(now: Transform, place: Place, window: Size, margin: number): Transform {
  return {
    k: now.k,
    x: now.x + shift(place.x, place.width, now.x, window.width),
    y: now.y + shift(place.y, place.height, now.y, window.height),
  };

  function shift(from: number, length: number, offset: number, room: number): number {
    const start = from * now.k + offset - margin;
    const end = (from + length) * now.k + offset + margin;
    if (start < 0 || end - start > room) return -start;
    return end > room ? room - end : 0;
  }
}

/** As `reveal`, but zoomed out for it where needed, if that can be done with no less than `least`. */
export function include(now: Transform, box: Place, window: Size, margin: number, least: number) {
  const room = (length: number, free: number) => (free - 2 * margin) / Math.max(1, length);
  const wanted = Math.min(room(box.width, window.width), room(box.height, window.height));
  const k = wanted < least ? now.k : Math.min(now.k, wanted);
  return reveal({ ...now, k }, box, window, margin);
}

/** Kept so that some of the plane is always in the window. */
export function leash(now: Transform, box: Place, window: Size): Transform {
  const kept = 60;
  const hold = (offset: number, from: number, length: number, room: number) =>
    Math.min(room - kept - from * now.k, Math.max(kept - (from + length) * now.k, offset));
  return {
    k: now.k,
    x: hold(now.x, box.x, box.width, window.width),
    y: hold(now.y, box.y, box.height, window.height),
  };
}
