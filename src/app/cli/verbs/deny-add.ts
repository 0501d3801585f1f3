/** `portcullis deny add` */

import { addDenial } from "../../../edge/rpc/command-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { denialValue, endOf } from "../denial-value.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { printable } from "../text.ts";
import { parseUntil } from "../until-flag.ts";

export const denyAdd: Command = defineCommand({
  description:
    "From now on the identity, or whoever comes with that certificate, gets no certificate any more, " +
    "whatever it proves. What it holds already is good until it expires: proxies do not ask the " +
    "server. The caller is told the reason.\n\n" +
    "Exits 3 when the log knows no certificate with the serial; it is denied all the same.",
  flags: {
    ...claimFlags,
    until: {
      type: "string",
      valueName: "TIME|DURATION",
      help: "when the denial ends: 2026-12-31T08:00:00Z, or 12h from now; without it never",
    },
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [
    { name: "SPIFFE_ID|SERIAL", help: "whom: an identity, or a certificate by its serial in hex" },
  ],
  examples: [
    {
      what: "An identity, until its node is rebuilt",
      command:
        "portcullis deny add spiffe://cluster.local/ns/shop/sa/web \\\n" +
        '  --reason "node 7 was broken into" --until 12h',
    },
    {
      what: "One certificate",
      command: 'portcullis deny add 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --reason "its key was copied"',
    },
  ],
  async run(context, flags, [target = ""]) {
    const nowMs = context.nowMs();
    const untilMs = flags.until === undefined ? undefined : parseUntil(flags.until, nowMs);
    const operator = operatorName(flags.operator, context.env);
    const address = await resolveAdminAddress(flags, context);
    const request = { target, reason: flags.reason, operator, untilMs };
    const { denial, warnings } = await asUsage("deny add", addDenial(address, request));
    const value = denialValue(denial);
    await writeOutput(context, flags.output, { ...value, warnings }, () => {
      return `denied ${printable(value.target)} as number ${value.number}; ends ${endOf(value, nowMs)}\n`;
    });
    for (const warning of warnings) context.stderr.write(`warning: ${printable(warning)}\n`);
    return warnings.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});
