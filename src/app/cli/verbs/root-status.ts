/** `portcullis root status` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command } from "../command.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { fetchShownStatus } from "../root-follow.ts";
import { exitCodeOf } from "../root-judgement.ts";
import { rootStatusTables } from "../root-table.ts";
import { resolveServerTarget } from "../server-target.ts";

export const rootStatus: Command = defineCommand({
  description:
    "Shows the authorities and what hangs on each, who has not confirmed the present trust bundle " +
    "and why, the waivers, and which command may be given now.\n\n" +
    "Exits 3 when a root has less than 25 % of its life left, a rotation waits for somebody or the CA on " +
    "disk was refused, and 4 when a root has less than 10 % or a compromised one is still held.",
  flags: {
    all: { type: "boolean", help: "name each certificate, and all who lag" },
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    { what: "Of a server", command: "portcullis root status --data-dir /var/lib/portcullis" },
    {
      what: "Whom the rotation waits for",
      command: "portcullis root status --all -o json | jq -r '.verifiers.laggards[].name'",
    },
  ],
  async run(context, flags) {
    const target = await resolveServerTarget(flags, context);
    const value = await fetchShownStatus(target, flags, context.signal);
    await writeOutput(context, flags.output, value, () => {
      const view = { nowMs: Date.parse(value.now), colour: wantsColour(context), target };
      return rootStatusTables(value, context.columns, { ...view, isEach: flags.all });
    });
    return exitCodeOf(value);
  },
});
