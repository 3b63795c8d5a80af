// Acts that wait for a pause.

interface Debounced {
  (): void;
  /** Whether it is called and has not acted yet. */
  waits(): boolean;
  cancel(): void;
}

/** Call `act` once the calls have paused for `pause` milliseconds. */
export function debounced(act: () => void, pause: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const later = () => {
    cancel();
    timer = setTimeout(() => {
      timer = undefined;
      act();
    }, pause);
  };
  return Object.assign(later, { waits: () => timer !== undefined, cancel });
}
