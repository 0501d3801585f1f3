/** The verbs that ask a gate: alike but for their words. */

import { connectionFlags } from "./admin-address.ts";
import { defineCommand, ExitCode, type Command, type Example } from "./command.ts";
import { claimFlags, operatorName } from "./operator.ts";
import { outputFlag } from "./output.ts";
import { dryRunFlag, runCommand } from "./root-change.ts";
import { resolveRootTarget } from "./root-target.ts";
import { waive } from "./root-waive.ts";
import { waiverFlags } from "./root-waiver-flags.ts";

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
      const target = await resolveRootTarget(flags, context.env);
      const sending = { target, operator, dryRun: flags["dry-run"] };
      const waived = await waive(context, kind, flags, sending);
      if (waived !== ExitCode.ok) return waived;
      return await runCommand(context, { kind }, sending, flags.output);
    },
  });
}
