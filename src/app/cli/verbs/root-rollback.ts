/** `portcullis root rollback` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command } from "../command.ts";
import { claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { outputFlag } from "../output.ts";
import { reportChange, sendOnce } from "../root-change.ts";
import { resolveServerTarget } from "../server-target.ts";

export const rootRollback: Command = defineCommand({
  description:
    "Lets the retiring authority sign again, as long as it is not retired. Both roots are trusted, so " +
    "nobody is asked. The other authority is prepared then: root activate goes on with it, and root " +
    "abort withdraws it.",
  flags: { ...dryRunFlag, operator: claimFlags.operator, ...connectionFlags, ...outputFlag },
  examples: [{ what: "Something fails since the activation", command: "portcullis root rollback" }],
  async run(context, flags) {
    const operator = operatorName(flags.operator, context.env);
    const target = await resolveServerTarget(flags, context);
    const sending = { target, operator, dryRun: flags["dry-run"] };
    const value = await sendOnce({ kind: "rollback" }, sending);
    return await reportChange(context, value, target, flags.output);
  },
});
