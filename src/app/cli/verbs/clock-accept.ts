/** `portcullis clock accept` */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { acceptClock } from "../../../edge/rpc/command-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatSpan, formatTimestamp } from "../format.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";

export const clockAccept: Command = defineCommand({
  description:
    "Says that the server's clock is right: after it has jumped by more than a minute while the server " +
    "ran, and it signs nothing any more; or after a start that nobody's clock has confirmed, where a " +
    "rotation waits for it. Look at the clock first: what is signed is dated by it, and what has " +
    "expired by it opens the gates of a rotation. A clock that is wrong is better set right.",
  flags: { ...claimFlags, ...connectionFlags, ...outputFlag },
  examples: [
    {
      what: "After the time servers were away for long",
      command: 'portcullis clock accept --reason "NTP was down; compared with two other hosts"',
    },
  ],
  async run(context, flags) {
    const operator = operatorName(flags.operator, context.env);
    const address = await resolveAdminAddress(flags, context);
    const request = { reason: flags.reason, operator };
    const answer = await asUsage("clock accept", acceptClock(address, request));
    const jumpMs = Number(answer.jumpMs);
    const now = answer.now === undefined ? "" : formatTimestamp(timestampMs(answer.now));
    await writeOutput(context, flags.output, { now, jumpMs }, () => textOf(now, jumpMs));
    return ExitCode.ok;
  },
});

function textOf(now: string, jumpMs: number): string {
  if (jumpMs === 0) return `${now}: the clock was not in question\n`;
  const direction = jumpMs > 0 ? "forward" : "back";
  return `${now}: accepted, ${formatSpan(jumpMs)} ${direction}; the server goes by it\n`;
}
