// The table of sentences as views have it in their state.
import { readFileSync } from "node:fs";
import type { Words } from "../../src/lib/trust.ts";

const file = new URL("../../../hexplain_widgets/widgets/_shared/agreement.json", import.meta.url);
export const WORDS = JSON.parse(readFileSync(file, "utf8")) as Words;
