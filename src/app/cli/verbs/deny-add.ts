/** `portcullis deny add` */

import { parseDuration } from "../../../core/duration.ts";
import { PortcullisError } from "../../../core/error.ts";
import { addDenial } from "../../../edge/rpc/command-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { denialValue, endOf } from "../denial-value.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";

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
    const address = await resolveAdminAddress(flags, context.env);
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

/** RFC 3339 5.6, whose time always says its zone. */
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

function parseUntil(text: string, nowMs: number): number {
  const untilMs = timestamp.test(text) ? timeOf(text) : endAfter(durationMs(text), nowMs);
  if (untilMs > nowMs) return untilMs;
  throw invalid(text);
}

/** In whole seconds, as it is shown. */
function endAfter(spanMs: number, nowMs: number): number {
  return spanMs === 0 ? nowMs : Math.ceil((nowMs + spanMs) / 1_000) * 1_000;
}

/** NaN for what is none. */
function timeOf(text: string): number {
  const day = text.slice(0, 10);
  const midnightMs = Date.parse(`${day}T00:00:00Z`);
  // Date takes February 30th for a day in March.
  const isDay = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day);
  return isDay ? Date.parse(text) : Number.NaN;
}

function durationMs(text: string): number {
  try {
    return parseDuration(text) * 1_000;
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    throw invalid(text);
  }
}

function invalid(text: string): UsageError {
  const expected = "expected a time in the future or a duration";
  return new UsageError(
    "usage-invalid-value",
    `--until: ${expected}, got ${JSON.stringify(text)}`,
    {
      hint: "write 2026-12-31T08:00:00Z, 12h or 90d",
    },
  );
}
