/** `portcullis deny list` */

import { listDenials } from "../../../edge/rpc/command-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { denialValue, endOf, type DenialValue } from "../denial-value.ts";
import { formatRelative } from "../format.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { formatTable } from "../table.ts";

export const denyList: Command = defineCommand({
  description:
    "Shows who gets no certificate any more, by whose order and why. One that has ended is forgotten " +
    "within a minute; the log keeps it.",
  flags: { ...connectionFlags, ...outputFlag },
  examples: [
    {
      what: "Identities that are denied",
      command: "portcullis deny list -o json | jq -r '.denials[].target | select(test(\"/\"))'",
    },
  ],
  async run(context, flags) {
    const answer = await listDenials(await resolveAdminAddress(flags, context));
    const denials = answer.denials.map(denialValue);
    const value = { sequence: Number(answer.sequence), denials };
    await writeOutput(context, flags.output, value, () =>
      denials.length === 0
        ? "nobody is denied\n"
        : tableOf(denials, context.nowMs(), wantsColour(context)),
    );
    return ExitCode.ok;
  },
});

function tableOf(denials: readonly DenialValue[], nowMs: number, colour: boolean): string {
  const columns = ["number", "target", "ends", "added", "by", "reason"];
  return formatTable(
    columns.map((header) => ({ header, ...(header === "number" && { align: "right" }) })),
    denials.map((denial) => [
      String(denial.number),
      denial.target,
      endOf(denial, nowMs),
      formatRelative(Date.parse(denial.createdAt), nowMs),
      denial.operator,
      denial.reason,
    ]),
    { colour },
  );
}
