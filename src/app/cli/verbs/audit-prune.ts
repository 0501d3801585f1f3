/** `portcullis audit prune` */

import { parseDuration } from "../../../core/duration.ts";
import { pruneLog } from "../../../edge/rpc/prune-log-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatTimestamp } from "../format.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { parseTime } from "../until-flag.ts";
import { UsageError } from "../usage-error.ts";

export const auditPrune: Command = defineCommand({
  description:
    "Lets the running server forget old entries of its transparency log for good: from the front, and " +
    "only as far as all entries are older and all their certificates had expired by then. Their " +
    "hashes stay, so everything else can be proved as before. The log says who asked.\n\n" +
    "What a pruned entry said is gone: keep a backup, or an archive of audit tail, if you must answer " +
    "for it later.",
  flags: {
    before: {
      type: "string",
      valueName: "TIME",
      help: "forget what was over by then: RFC 3339, or 90d for 90 days ago",
      required: true,
    },
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    {
      what: "Keep 90 days",
      command: "portcullis audit prune --before 90d --data-dir /var/lib/portcullis",
    },
  ],
  async run(context, flags) {
    const beforeMs = parseBefore(flags.before, context.nowMs());
    const address = await resolveAdminAddress(flags, context);
    const operator = operatorName(flags.operator, context.env);
    const gone = await asUsage("audit prune", pruneLog(address, { beforeMs, operator }));
    const { start, end } = gone;
    const value = { before: formatTimestamp(beforeMs), start, end, pruned: end - start };
    await writeOutput(context, flags.output, value, () => {
      if (start === end) return "nothing to prune: no 256 entries at the front were over by then\n";
      return `pruned: entries ${start} to ${end - 1} are gone, ${end - start} of them; their hashes stay\n`;
    });
    return ExitCode.ok;
  },
});

function parseBefore(text: string, nowMs: number): number {
  const timeMs = parseTime(text, true);
  if (!Number.isNaN(timeMs)) return timeMs;
  try {
    return nowMs - parseDuration(text) * 1_000;
  } catch (cause) {
    throw new UsageError(
      "usage-invalid-value",
      `--before: expected a time such as 2026-01-31T00:00:00Z, or 90d, got ${JSON.stringify(text)}`,
      { cause, hint: "portcullis help audit prune" },
    );
  }
}
