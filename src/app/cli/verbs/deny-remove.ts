/** `portcullis deny remove` */

import { removeDenial } from "../../../edge/rpc/command-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { denialValue } from "../denial-value.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";

export const denyRemove: Command = defineCommand({
  description:
    "Ends one denial, by its number. A target with several is denied until the last of them is gone.",
  flags: { ...claimFlags, ...connectionFlags, ...outputFlag },
  positionals: [{ name: "NUMBER", help: "of the denial, as deny list shows it" }],
  examples: [
    {
      what: "The node is rebuilt",
      command: 'portcullis deny remove 7 --reason "node 7 was set up anew"',
    },
  ],
  async run(context, flags, [number = ""]) {
    const sequence = parseNumber(number);
    const operator = operatorName(flags.operator, context.env);
    const address = await resolveAdminAddress(flags, context);
    const request = { sequence, reason: flags.reason, operator };
    const denial = await asUsage("deny remove", removeDenial(address, request));
    const value = denialValue(denial);
    await writeOutput(context, flags.output, value, () => {
      return `number ${value.number} is removed: ${printable(value.target)}\n`;
    });
    return ExitCode.ok;
  },
});

function parseNumber(text: string): bigint {
  if (/^[1-9]\d{0,15}$/.test(text)) return BigInt(text);
  throw new UsageError(
    "usage-invalid-value",
    `NUMBER: expected the number of a denial, got ${JSON.stringify(text)}`,
    { hint: "portcullis deny list" },
  );
}
