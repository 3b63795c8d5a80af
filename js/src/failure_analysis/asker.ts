// One question at a time: while one is under way only the last of those that come is kept.

export class Asker<T> {
  private next: { value: T } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;

  /** `ask` never rejects; questions that come within `pause` milliseconds are one. */
  constructor(
    private readonly ask: (value: T) => Promise<unknown>,
    private readonly pause: number,
  ) {}

  /** Whether something is asked or is going to be. */
  get busy(): boolean {
    return this.asking || this.next !== null;
  }

  want(value: T): void {
    this.next = { value };
    if (!this.asking) this.later();
  }

  close(): void {
    clearTimeout(this.timer);
    this.next = null;
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.go(), this.pause);
  }

  private async go(): Promise<void> {
    const wanted = this.next;
    if (!wanted) return;
    this.next = null;
    this.asking = true;
    try {
      await this.ask(wanted.value);
    } finally {
      this.asking = false;
    }
    if (this.next) this.later();
  }
}
