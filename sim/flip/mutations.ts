/** Planted bugs of flips: exact text of production code, and of the simulator's interpreter where production's cannot run in it. */

import type { Mutation } from "../mutation/mutations.ts";
import { evidenceMutations } from "./evidence-mutations.ts";
import { orderMutations } from "./order-mutations.ts";
import { revertMutations } from "./revert-mutations.ts";

const hold = "src/core/flip/flip-hold.ts";
const machine = "src/core/flip/flip-machine.ts";
const waits = "src/core/flip/flip-waits.ts";
const interpreter = "sim/flip/flips.ts";

export const flipMutations: readonly Mutation[] = [
  ...evidenceMutations,
  ...revertMutations,
  ...orderMutations,
  {
    name: "a stage is in force whoever has not acknowledged it",
    file: waits,
    before:
      'if (stage !== "draining") return [{ kind: "proxy", name, detail: stageWords[stage] }];',
    after: 'if (stage !== "draining") return []; void stageWords;',
  },
  {
    name: "connections of before are not waited for",
    file: waits,
    before: 'if (stage === "in-force" || (stage === "silent" && isWaived)) return [];',
    after:
      'if (stage === "in-force" || stage === "draining" || (stage === "silent" && isWaived)) return [];',
  },
  {
    name: "a stage opens without evidence of the one before",
    file: waits,
    before: "return [...late, ...verdictWaits(flip, view)];",
    after: "return verdictWaits(flip, view);",
  },
  {
    name: "the verdict is asked for once",
    file: waits,
    before: "return [...late, ...verdictWaits(flip, view)];",
    after: "return late;",
  },
  {
    name: "a stage opens whatever the verdict is",
    file: waits,
    before: 'if (verdict.kind === "safe") {',
    after: 'if (verdict.kind !== "nobody") {',
  },
  {
    name: "a stage opens before the one before is in force",
    file: waits,
    before:
      "return [...objectWaits(flip, view), ...forceWaits(flip, view), ...nextWaits(flip, view)];",
    after: "return [...objectWaits(flip, view), ...nextWaits(flip, view)];",
  },
  {
    name: "nobody is held back before the first stage",
    file: hold,
    before: 'return kind === "reverting" || kind === "editing" ||',
    after: 'return kind === "reverting" ||',
  },
  {
    name: "a flip that is taken back holds nobody back",
    file: hold,
    before: 'return kind === "reverting" || kind === "editing" ||',
    after: 'return kind === "editing" ||',
  },
  {
    name: "a flip that is taken back leaves strict what was strict",
    file: hold,
    before: 'const opened = flip.state.kind === "reverting" ? [] : flip.opened;',
    after: "const { opened } = flip;",
  },
  {
    name: "the hold-back is lost with the server's process",
    file: interpreter,
    before:
      "for (const [id, document] of options.disk.flips) this.#flips.set(id, parseFlip(document));\n    this.#hold();",
    after:
      "for (const [id, document] of options.disk.flips) this.#flips.set(id, parseFlip(document));",
  },
  {
    name: "a step is in the store before it is in the log",
    file: interpreter,
    before: 'disk.write("log", () => disk.log.push(`${id} ${document}`));',
    after: "",
  },
  {
    name: "a step is in force before it is in the store",
    file: interpreter,
    before: "this.#changing.add(id);",
    after: "this.#changing.add(id); this.#flips.set(id, flip); this.#hold();",
  },
  {
    name: "who is held back is not told when that ends",
    file: "src/core/policy/policy-index.ts",
    before: "this.#markHeld();\n    this.#holds = new Holds(holds);\n    this.#markHeld();",
    after: "this.#holds = new Holds(holds);",
  },
  {
    name: "a workload that comes later is not held back",
    file: "src/core/policy/holds.ts",
    before: "selects(selector, labels) && !strict.has(key));",
    after: "selects(selector, labels) && !strict.has(key) && Number(key.at(-1)) < 3);",
  },
  {
    name: "a flip that is taken back is not taken back in the object",
    file: "sim/flip/flip-write.ts",
    before:
      'if (state.kind !== "reverting" || says === "before" || says === "other") return false;',
    after: 'if (state.kind !== "done") return false;',
  },
  {
    name: "a flip is not ended by somebody else's word",
    file: machine,
    before: "const why = supersedes(flip, view, atMs);",
    after: "const why = flip.id > 0 ? undefined : supersedes(flip, view, atMs);",
  },
  {
    name: "a flip that watches never ends",
    file: waits,
    before: "if (atMs < untilMs) {",
    after: "if (atMs < untilMs * 2) {",
  },
  {
    name: "nobody's calls are broken by the configuration",
    file: "src/core/flip/broken-calls.ts",
    before: "if (!breaks) continue;",
    after: "if (breaks || !breaks) continue;",
  },
];
