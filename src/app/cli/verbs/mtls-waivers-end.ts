/** `portcullis mtls waivers end` */

import { endCallerWaiver } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { answerEmpty, refusalText, refusalValue } from "../mtls-refused.ts";
import { callerWaiverValue } from "../mtls-waivers.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { hinted, resolveServerTarget } from "../server-target.ts";
import { printable } from "../text.ts";

export const mtlsWaiversEnd: Command = defineCommand({
  description:
    "Ends a waiver before its time: that caller, or the silence of that proxy, counts again from now on, also for a flip that is " +
    "under way. What was refused while it counted does not take a flip back. The log has it.\n\n" +
    "Exits 4 where there is no such waiver.",
  flags: {
    target: {
      type: "string",
      valueName: "TARGET",
      help: "for which it counts, as mtls waivers list shows it",
      required: true,
    },
    ...claimFlags,
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [{ name: "NAME", help: "who is waived, as mtls waivers list shows it" }],
  examples: [
    {
      what: "The job is still there",
      command:
        "portcullis mtls waivers end legacy/cron --target payments/api \\\n" +
        '  --reason "is not shut down after all"',
    },
  ],
  async run(context, flags, [name = ""]) {
    const { target, reason, output } = flags;
    const operator = operatorName(flags.operator, context.env);
    const server = await resolveServerTarget(flags, context);
    const sent = endCallerWaiver(server.address, { target, name, reason, operator });
    const { result } = await hinted(server, asUsage("mtls waivers end", sent));
    if (result.case !== "waiver") {
      const refused =
        result.case === undefined ? answerEmpty(server) : refusalValue(result.value, server);
      const view = { colour: wantsColour(context), isAsked: false, nowMs: context.nowMs() };
      if (output === "table") context.stderr.write(refusalText(refused, view));
      else await writeOutput(context, output, { refused }, () => "");
      return ExitCode.refused;
    }
    const value = callerWaiverValue(result.value);
    await writeOutput(context, output, value, () => {
      return `${printable(value.name)} counts again for ${printable(value.target)}\n`;
    });
    return ExitCode.ok;
  },
});
