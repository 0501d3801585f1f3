/** `portcullis join-token create` */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { decideJoinTtlSeconds, JoinTokenError } from "../../../core/identity/join-token.ts";
import { createJoinToken } from "../../../edge/rpc/join-token-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative } from "../format.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { UsageError } from "../usage-error.ts";

export const joinTokenCreate: Command = defineCommand({
  description:
    "Makes a secret that gets one machine outside of Kubernetes its first certificate, once. It is " +
    "shown now and never again: the server keeps its digest only.\n\n" +
    "Whoever has it first is that machine. Carry it by a way that you trust, and keep its life short.",
  flags: {
    "spiffe-id": {
      type: "string",
      valueName: "ID",
      help: "identity of whoever brings the token",
      required: true,
    },
    ttl: {
      type: "duration",
      valueName: "DURATION",
      help: "how long the token waits for its machine, at most 24h",
      default: "10m",
    },
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    {
      what: "A token file for the agent of a database",
      command:
        "portcullis join-token create --spiffe-id spiffe://cluster.local/vm/db-1 \\\n" +
        "  --data-dir /var/lib/portcullis > join-token",
    },
  ],
  async run(context, flags) {
    assertTtl(flags.ttl);
    const address = await resolveAdminAddress(flags, context);
    const operator = operatorName(flags.operator, context.env);
    const request = { spiffeId: flags["spiffe-id"], ttlSeconds: flags.ttl, operator };
    const { token, spiffeId, expiresAt } = await createJoinToken(address, request);
    const expiresAtMs = expiresAt === undefined ? context.nowMs() : timestampMs(expiresAt);
    const value = { token, spiffeId, expiresAt: new Date(expiresAtMs).toISOString() };
    await writeOutput(context, flags.output, value, () => `${token}\n`);
    const expires = formatRelative(expiresAtMs, context.nowMs());
    context.stderr.write(`good once, for ${spiffeId}; expires ${expires}\n`);
    return ExitCode.ok;
  },
});

/** As the server will, which cannot name the flag, and takes 0 for its default. */
function assertTtl(seconds: number): void {
  if (seconds === 0) {
    throw new UsageError("usage-invalid-value", "--ttl: expected a duration longer than zero");
  }
  try {
    decideJoinTtlSeconds(BigInt(seconds));
  } catch (cause) {
    if (!(cause instanceof JoinTokenError)) throw cause;
    throw new UsageError("usage-invalid-value", `--ttl: ${cause.message}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}
