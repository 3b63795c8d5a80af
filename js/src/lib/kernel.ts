// Questions to the kernel. Each has an id and gets a result, an error, or the news of silence.
import type { AnyModel } from "@anywidget/types";

export const PATIENCE = 5000;
const LONG_WORK = 120_000;

export type Fields = Record<string, unknown>;
export class KernelError extends Error {}
export class Silence extends Error {}
export class Cancelled extends Error {}
/** Given up because the kernel stayed silent, where no person waits for an answer. */
export class Unheard extends Cancelled {}

interface Waiting {
  kind: string;
  settle(answer: Fields): void;
  fail(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
  since: number;
  news: Fields;
}

const SILENT =
  "The kernel does not answer; it was expected to within five seconds; it is busy, was restarted " +
  "or has ended. What is here stays usable; wait, or run the notebook again.";

const ALONE =
  "This page has no kernel; one was expected. What is here stays usable; open the notebook and " +
  "run it.";
const OFFLINE = "jupyter-widgets-disconnected"; // ipywidgets' word at the place of a view
const places = new WeakMap<object, Element>();

/** Remember where a model's view stands: there it is said whether a kernel is joined. */
export function stands(model: object, place: Element): void {
  places.set(model, place);
}

/** One conversation per view; several views of one model tell their answers apart by the id. */
export class Kernel {
  private readonly waiting = new Map<number, Waiting>();
  private next = 1 + Math.floor(Math.random() * 2 ** 40);
  /** When a person gave up what was being waited for, if nobody has asked since. */
  givenUp = 0;
  private readonly listen = (message: unknown) => this.hear(message);

  constructor(
    private readonly model: Pick<AnyModel, "send" | "on" | "off">,
    private readonly changed: () => void,
    private readonly patience = PATIENCE,
  ) {
    model.on("msg:custom", this.listen);
  }

  /** What is being waited for, oldest first. */
  get busy(): string[] {
    return [...this.waiting.values()].map((one) => one.kind);
  }

  /** What the kernel last said of the oldest question while at work on it. */
  get news(): Fields {
    return this.oldest?.news ?? {};
  }

  /** When the oldest question was asked. */
  get since(): number {
    return this.oldest?.since ?? Date.now();
  }

  private get oldest(): Waiting | undefined {
    return this.waiting.values().next().value;
  }

  /** Ask; `buffers` go beside the message as they are. */
  ask(kind: string, fields: Fields = {}, buffers?: ArrayBuffer[]): Promise<Fields> {
    this.givenUp = 0;
    return this.put(kind, fields, this.patience, buffers);
  }

  /** Ask what no person waits for: where all cells run, the kernel has the others to do first. */
  async wish(kind: string, fields: Fields = {}): Promise<Fields> {
    try {
      return await this.put(kind, fields, LONG_WORK);
    } catch (error) {
      throw error instanceof Silence ? new Unheard(error.message) : error;
    }
  }

  private put(
    kind: string,
    fields: Fields,
    patience: number,
    buffers?: ArrayBuffer[],
  ): Promise<Fields> {
    if (places.get(this.model)?.classList.contains(OFFLINE))
      return Promise.reject(new Silence(ALONE));
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(this.waiting.get(id)?.timer);
        if (this.waiting.delete(id)) act();
        this.changed();
      };
      this.waiting.set(id, {
        kind,
        settle: (answer) => end(() => resolve(answer)),
        fail: (error) => end(() => reject(error)),
        timer: this.silence(id, patience),
        since: Date.now(),
        news: {},
      });
      this.changed();
      this.send({ ...fields, kind, id }, id, buffers);
    });
  }

  /** Give up what is being waited for (of one kind); the kernel is told, the view goes on at once. */
  cancel(kind?: string): void {
    for (const [id, one] of this.waiting) {
      if (kind !== undefined && one.kind !== kind) continue;
      one.fail(new Cancelled("cancelled"));
      this.send({ kind: "cancel", id: this.next++, of: id }, id);
    }
  }

  /** Cancel all because a person says so. */
  stop(): void {
    if (this.waiting.size === 0) return;
    this.cancel();
    this.givenUp = Date.now();
    this.changed();
  }

  close(): void {
    this.model.off("msg:custom", this.listen);
    for (const one of this.waiting.values()) clearTimeout(one.timer);
    this.waiting.clear();
  }

  private silence(id: number, patience: number) {
    return setTimeout(() => this.waiting.get(id)?.fail(new Silence(SILENT)), patience);
  }

  private send(message: Fields, id: number, buffers?: ArrayBuffer[]): void {
    try {
      if (buffers) this.model.send(message, undefined, buffers);
      else this.model.send(message);
    } catch {
      this.waiting.get(id)?.fail(new Silence(SILENT));
    }
  }

  private hear(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    const answer = message as Fields;
    const one = this.waiting.get(answer.id as number);
    if (!one) return;
    if (answer.kind === "accepted") {
      clearTimeout(one.timer);
      one.timer = this.silence(answer.id as number, LONG_WORK);
      one.news = { ...answer, heard: Date.now() };
      this.changed();
    } else if (answer.kind === "result") one.settle(answer);
    else if (answer.kind === "error") one.fail(new KernelError(String(answer.text)));
  }
}
