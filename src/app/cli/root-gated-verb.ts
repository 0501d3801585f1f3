/** The verbs that ask a gate: alike but for their words. */

import { connectionFlags } from "./admin-address.ts";
import { defineCommand, type Command, type Example } from "./command.ts";
import { claimFlags, dryRunFlag, operatorName } from "./operator.ts";
import { outputFlag } from "./output.ts";
import { refusing, reportChange, sendOnce } from "./root-change.ts";
import { withoutWaived } from "./root-dry-waiver.ts";
import { resolveServerTarget } from "./server-target.ts";
import { waive } from "./root-waive.ts";
import { parseWaiver, waiverFlags } from "./waiver-flags.ts";

export interface GatedVerb {
  readonly kind: "activate" | "retire" | "abort";
  readonly description: string;
  readonly examples: readonly Example[];
}

export function gatedVerb({ kind, description, examples }: GatedVerb): Command {
  return defineCommand({
    description,
    flags: {
      ...dryRunFlag,
      ...waiverFlags,
      operator: claimFlags.operator,
      ...connectionFlags,
      ...outputFlag,
    },
    examples,
    async run(context, flags) {
      const wanted = parseWaiver(`root ${kind}`, flags);
      const operator = operatorName(flags.operator, context.env);
      const target = await resolveServerTarget(flags, context);
      const sending = { target, operator, dryRun: flags["dry-run"] };
      const refuse = refusing(context, sending, flags.output);
      const options = { gate: kind, wanted, sending, refuse, output: flags.output };
      const waived = await waive(context, options);
      if (waived.kind === "ended") return waived.code;
      const sent = await sendOnce({ kind }, sending);
      const value = sending.dryRun ? await withoutWaived(sent, waived.names, target) : sent;
      return await reportChange(context, value, target, flags.output);
    },
  });
}
