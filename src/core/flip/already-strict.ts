/** Of what is strict there is nothing to flip: but a namespace is not called strict for those for whom other objects decide. */

import type { MeshView } from "../policy/mesh-view.ts";
import { listed, type FlipRefusal } from "./flip-error.ts";
import { checkCommands, otherDecisions } from "./other-decisions.ts";
import type { TargetPort } from "./target-modes.ts";
import type { FlipTarget } from "./target.ts";

export function alreadyStrict(
  view: MeshView,
  target: FlipTarget,
  ports: readonly TargetPort[],
): FlipRefusal | undefined {
  if (ports.some(({ decision }) => decision.mode !== "strict")) return undefined;
  const { text } = target;
  const but = otherDecisions(view, target)
    .filter(({ mode }) => mode !== "strict")
    .map((each) => each.target);
  const message = `expected ${text} to be permissive, got strict already`;
  const hint = "whether it is in force: portcullis mtls status";
  if (but.length === 0) return { code: "already-strict", message, hint };
  return {
    code: "already-strict",
    message: `${message}, but for ${listed(but)}`,
    hint: [hint, ...checkCommands(but)].join("; "),
  };
}
