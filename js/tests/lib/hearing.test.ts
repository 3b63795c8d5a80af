import { describe, expect, it } from "vitest";
import { hearing } from "../../src/lib/hearing.ts";

type Hear = (message: unknown) => Promise<unknown>;

class Widget {
  readonly heard: unknown[] = [];

  _handle_comm_msg(message: unknown): Promise<unknown> {
    this.heard.push(message);
    return Promise.resolve();
  }
}

class AnyWidget extends Widget {
  readonly sent: object[] = [];
  hear: Hear = (message) => this._handle_comm_msg(message);
  readonly comm;

  constructor(
    private readonly ready: () => Promise<void>,
    joined = true,
  ) {
    super();
    const send = (data: object) => this.sent.push(data);
    const on_msg = (hear: Hear) => {
      this.hear = hear;
    };
    this.comm = joined ? { on_msg, send } : undefined;
  }

  override async _handle_comm_msg(message: unknown): Promise<unknown> {
    await this.ready();
    return super._handle_comm_msg(message);
  }
}

const late = () => Promise.reject(new Error("[anywidget] Failed to initialize model."));
const handed = (whole: AnyWidget) => ({ set: () => whole }) as never;

describe("a model that took long to initialize", () => {
  it("hears its kernel again, and asks for what it missed", async () => {
    const whole = new AnyWidget(late);
    await hearing(handed(whole));
    await whole.hear("news");
    expect(whole.heard).toEqual(["news"]);
    expect(whole.sent).toEqual([{ method: "request_state" }]);
  });

  it("is mended once for all its views", async () => {
    const whole = new AnyWidget(late);
    await hearing(handed(whole));
    await hearing(handed(whole));
    expect(whole.sent).toHaveLength(1);
  });
});

describe("any other model", () => {
  it("that hears its kernel is left alone", async () => {
    const whole = new AnyWidget(() => Promise.resolve());
    const { hear } = whole;
    await hearing(handed(whole));
    expect([whole.hear, whole.sent]).toEqual([hear, []]);
  });

  it("may have no kernel, or hand nothing out", async () => {
    const whole = new AnyWidget(late, false);
    await hearing(handed(whole));
    await hearing({ set: () => undefined } as never);
    expect(whole.sent).toEqual([]);
  });
});
