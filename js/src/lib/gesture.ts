// Pan by dragging, zoom by pinching or Ctrl + wheel. The plain wheel scrolls the page until the
// window has the focus.
import type { Transform } from "./transform.ts";
import { zoomAt } from "./transform.ts";

const SLACK = 4;

interface Gestures {
  get(): Transform;
  set(next: Transform): void;
  start(): void;
  end(): void;
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
    const zooming = event.ctrlKey || event.metaKey;
    if (!zooming && !window.matches(":focus-within")) return;
    event.preventDefault();
    if (wheel === undefined) plane.start();
    const [x, y] = local(event);
    const unit = event.deltaMode === 1 ? 20 : 1;
    if (zooming) plane.set(zoomAt(plane.get(), x, y, 2 ** (-event.deltaY * unit * 0.004)));
    else plane.set(moved(-event.deltaX * unit, -event.deltaY * unit));
    clearTimeout(wheel);
    wheel = setTimeout(() => {
      wheel = undefined;
      plane.end();
    }, 160);
  }

  const stop = new AbortController();
  const options = { signal: stop.signal };
  window.addEventListener("pointerdown", down, options);
  window.addEventListener("pointermove", move, options);
  window.addEventListener("pointerup", up, options);
  window.addEventListener("pointercancel", up, options);
  window.addEventListener("wheel", turn, { ...options, passive: false });
  return () => stop.abort();
}
