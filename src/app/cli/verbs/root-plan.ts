/** `portcullis root plan` */

import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { fetchSettledStatus } from "../root-follow.ts";
import { namedAll, namedDefault } from "../root-laggards.ts";
import { planOf } from "../root-plan.ts";
import { planText } from "../root-plan-table.ts";

export const rootPlan: Command = defineCommand({
  description:
    "Shows what a rotation would do here, step by step, and how long it would take: by the longest life " +
    "of a certificate, the clocks' difference, the pace of re-issue and what is signed now. It names who " +
    "stands in the way, and which readers of the trust bundle nobody can observe. Nothing is changed.\n\n" +
    "Exits 3 when something stands in the way.",
  flags: {
    all: { type: "boolean", help: "name all who lag, not the first 20" },
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [{ what: "Before a rotation", command: "portcullis root plan" }],
  async run(context, flags) {
    const address = await resolveAdminAddress(flags, context.env);
    const namedMax = flags.all ? namedAll : namedDefault;
    const plan = planOf(await fetchSettledStatus(address, namedMax, context.signal));
    await writeOutput(context, flags.output, plan, () =>
      planText(plan, context.columns, wantsColour(context)),
    );
    return plan.lagging === 0 && plan.refusal === "" ? ExitCode.ok : ExitCode.warning;
  },
});
