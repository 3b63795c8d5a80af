// anywidget lets nothing that the kernel says through to a model that took more than two seconds to
// initialize, as where much is drawn at once on a busy machine. Its view is drawn all the same, and
// would show what has long changed.
import type { AnyModel } from "@anywidget/types";

type Hear = (message: unknown) => Promise<unknown>;
interface Whole {
  comm?: { on_msg(hear: Hear): void; send(data: object): unknown };
  _handle_comm_msg: Hear;
}

const NOTHING = { content: { data: { method: "nothing" } } };

/** Let a model hear its kernel that was cut off from it, and ask for what was said meanwhile. */
export async function hearing(model: AnyModel): Promise<void> {
  // what anywidget hands out has parts of the model only; this returns all of it
  const whole = (model.set as unknown as (values: object) => Whole | undefined)({});
  if (!whole?.comm || (await hears(whole))) return;
  const { _handle_comm_msg: hear } = Object.getPrototypeOf(Object.getPrototypeOf(whole)) as Whole;
  whole._handle_comm_msg = hear.bind(whole);
  whole.comm.on_msg(whole._handle_comm_msg);
  whole.comm.send({ method: "request_state" });
}

async function hears(whole: Whole): Promise<boolean> {
  try {
    await whole._handle_comm_msg(NOTHING);
    return true;
  } catch {
    return false;
  }
}
