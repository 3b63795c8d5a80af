// Where the plane lies under the window: a point p is seen at p * k + (x, y). It is panned by
// dragging, zoomed by pinching or Ctrl + wheel; the plain wheel always scrolls the page.

import { h, listen } from "./dom.ts";

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

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

const SLACK = 4;

interface Gestures {
  get(): Transform;
  set(next: Transform): void;
  start(): void;
  end(): void;
}

const SAID = "hxWheel"; // on the page, for views share nothing else
const SHOWN = 2400; // milliseconds

/** Say how to zoom where the wheel is first turned over a plane, once a page. */
function sayOnce(window: HTMLElement): void {
  const { dataset } = document.documentElement;
  if (SAID in dataset) return;
  dataset[SAID] = "";
  const key = /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl";
  const words = h("div", { class: "hx-said", role: "status" }, `${key} + wheel zooms, drag pans`);
  window.append(words);
  setTimeout(() => words.remove(), SHOWN);
}

/** Listen on `window`; returns how to stop. */
export function listenToGestures(window: HTMLElement, plane: Gestures): () => void {
  const pointers = new Map<number, PointerEvent>();
  let dragging = false;
  let wheel: ReturnType<typeof setTimeout> | undefined;

  const local = (event: { clientX: number; clientY: number }) => {
    const box = window.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top] as const;
  };

  function down(event: PointerEvent): void {
    if (event.button !== 0 || (event.target as Element).closest("button,input")) return;
    pointers.set(event.pointerId, event);
  }

  function move(event: PointerEvent): void {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    if (!dragging && Math.hypot(dx, dy) < SLACK) return;
    if (!dragging) begin(event);
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    plane.set(other ? pinched(last, event, other) : moved(dx, dy));
    pointers.set(event.pointerId, event);
  }

  function begin(event: PointerEvent): void {
    dragging = true;
    window.setPointerCapture(event.pointerId);
    plane.start();
  }

  function moved(dx: number, dy: number): Transform {
    const now = plane.get();
    return { ...now, x: now.x + dx, y: now.y + dy };
  }

  function pinched(last: PointerEvent, event: PointerEvent, other: PointerEvent): Transform {
    const span = (one: PointerEvent) =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const [x, y] = local(other);
    return zoomAt(plane.get(), x, y, span(event) / span(last));
  }

  function up(event: PointerEvent): void {
    pointers.delete(event.pointerId);
    if (!dragging || pointers.size > 0) return;
    dragging = false;
    plane.end();
    window.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", swallow, { capture: true }), 0);
  }

  // the click that ends a drag is no click on a tile
  function swallow(event: Event): void {
    event.stopPropagation();
    event.preventDefault();
  }

  function turn(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) {
      sayOnce(window);
      return;
    }
    event.preventDefault();
    if (wheel === undefined) plane.start();
    const [x, y] = local(event);
    const unit = event.deltaMode === 1 ? 20 : 1;
    plane.set(zoomAt(plane.get(), x, y, 2 ** (-event.deltaY * unit * 0.004)));
    clearTimeout(wheel);
    wheel = setTimeout(() => {
      wheel = undefined;
      plane.end();
    }, 160);
  }

  const stop = new AbortController();
  const options = { signal: stop.signal };
  const acts = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
  listen(window, acts, options);
  window.addEventListener("wheel", turn, { ...options, passive: false });
  return () => stop.abort();
}
