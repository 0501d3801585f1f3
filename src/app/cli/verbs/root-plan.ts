/** `portcullis root plan` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { fetchSettledStatus } from "../root-follow.ts";
import { namedAll, namedDefault } from "../root-laggards.ts";
import { planOf } from "../root-plan.ts";
import { planText } from "../root-plan-table.ts";
import { resolveServerTarget } from "../server-target.ts";

export const rootPlan: Command = defineCommand({
  description:
    "Shows what a rotation would do here, step by step, and how long it would take: by the longest life " +
    "of a certificate, the clocks' difference, the pace of re-issue and what is signed now. It names who " +
    "stands in the way, and which readers of the trust bundle nobody can observe. Nothing is changed.\n\n" +
    "Exits 3 when something stands in the way, or a root has less than 25 % of its life left.",
  flags: {
    all: { type: "boolean", help: "name each certificate, and all who lag" },
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [{ what: "Before a rotation", command: "portcullis root plan" }],
  async run(context, flags) {
    const target = await resolveServerTarget(flags, context);
    const plan = planOf(await fetchSettledStatus(target, namedAll, context.signal), target);
    const laggards = flags.all ? plan.laggards : plan.laggards.slice(0, namedDefault);
    await writeOutput(context, flags.output, { ...plan, laggards }, () => {
      const view = { nowMs: Date.parse(plan.now), colour: wantsColour(context), target };
      return planText(plan, context.columns, { ...view, isEach: flags.all });
    });
    const isOpen = plan.lagging === 0 && plan.unobservable.every(({ waived }) => waived);
    const isFree = isOpen && plan.refusal === "" && plan.warnings.length === 0;
    return isFree ? ExitCode.ok : ExitCode.warning;
  },
});
