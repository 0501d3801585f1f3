/** The verbs that ask a gate: alike but for their words. */

import { connectionFlags, resolveAdminAddress } from "./admin-address.ts";
import { defineCommand, ExitCode, type Command, type Example } from "./command.ts";
import { claimFlags, operatorName } from "./operator.ts";
import { outputFlag } from "./output.ts";
import { dryRunFlag, runCommand } from "./root-change.ts";
import { waive, waiverFlags } from "./root-waive.ts";

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
      const operator = operatorName(flags.operator, context.env);
      const address = await resolveAdminAddress(flags, context.env);
      const sending = { address, operator, dryRun: flags["dry-run"] };
      const waived = await waive(context, `root ${kind}`, flags, sending);
      if (waived !== ExitCode.ok) return waived;
      return await runCommand(context, { kind }, sending, flags.output);
    },
  });
}
