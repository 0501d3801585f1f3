/** `portcullis mtls waivers list` */

import { listCallerWaivers } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { callerWaiverValue, waiversTable } from "../mtls-waivers.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { hinted, resolveServerTarget } from "../server-target.ts";
import { timeText } from "../time-text.ts";

export const mtlsWaiversList: Command = defineCommand({
  description:
    "Shows the waivers that count now: which caller, or silent proxy, is passed over for which target, by whom, why and until when. " +
    "A waiver counts for each check and flip of its target, also of a later one, until it ends; the log keeps it.",
  flags: {
    target: { type: "string", valueName: "TARGET", help: "of that target alone" },
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    { what: "All that count", command: "portcullis mtls waivers list" },
    {
      what: "Who is passed over",
      command: "portcullis mtls waivers list -o json | jq -r '.waivers[].name'",
    },
  ],
  async run(context, flags) {
    const server = await resolveServerTarget(flags, context);
    const answer = await hinted(server, listCallerWaivers(server.address));
    const { target } = flags;
    const waivers = answer.waivers
      .map(callerWaiverValue)
      .filter((each) => target === undefined || each.target === target);
    const now = timeText(answer.now);
    await writeOutput(context, flags.output, { now, waivers }, () =>
      waiversTable(waivers, Date.parse(now), wantsColour(context)),
    );
    return ExitCode.ok;
  },
});
