/** `portcullis mtls plan` */

import { planFlips } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command } from "../command.ts";
import { lookBackFlag, lookBackOf } from "../mtls-flags.ts";
import { planExit, planText, planValue } from "../mtls-plan.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, tableWidth, wantsColour, writeOutput } from "../output.ts";
import { hinted, resolveServerTarget } from "../server-target.ts";

export const mtlsPlan: Command = defineCommand({
  description:
    "Shows in which order what is in a namespace can go strict: its services, and the called workloads of none. What is SAFE goes first, then " +
    "what waits for that. Those of one number can go at once. Whoever has no proxy and calls is work to do, and is named.\n\n" +
    "Exits 0 when all that is not strict yet can go now, 3 when something waits, and 2 where there is no such namespace.",
  flags: {
    namespace: {
      type: "string",
      short: "n",
      valueName: "NAME",
      help: "whose order it is",
      required: true,
    },
    ...lookBackFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [{ what: "Of a namespace", command: "portcullis mtls plan -n payments" }],
  async run(context, flags) {
    const { namespace } = flags;
    const lookBack = lookBackOf("mtls plan", flags);
    const operator = operatorName(flags.operator, context.env);
    const server = await resolveServerTarget(flags, context);
    const asked = planFlips(server.address, { namespace, lookBack, operator });
    const answer = await asUsage("mtls plan", hinted(server, asked));
    const targets = planValue(answer, server, lookBack);
    await writeOutput(context, flags.output, { namespace, targets }, () =>
      planText(targets, {
        namespace,
        colour: wantsColour(context),
        width: tableWidth(context),
      }),
    );
    return planExit(targets);
  },
});
