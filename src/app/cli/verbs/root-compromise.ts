/** `portcullis root compromise` */

import type { RootCommand } from "../../../edge/rpc/root-command.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { Progress } from "../live-progress.ts";
import { claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { outputFlag } from "../output.ts";
import { refusing, reportChange, sendOnce } from "../root-change.ts";
import { breakText, confirmBreak, watchGone } from "../root-compromise.ts";
import { fetchSettledStatus } from "../root-follow.ts";
import { namedAll } from "../root-laggards.ts";
import { keyTypeFlag, rootSource } from "../root-source.ts";
import { pasteable, resolveServerTarget, textTarget, type ServerTarget } from "../server-target.ts";
import type { RootAuthorityValue, RootStatusValue } from "../root-value.ts";
import { UsageError } from "../usage-error.ts";

export const rootCompromise: Command = defineCommand({
  description:
    "For a key that has leaked: takes the authority's root out of the trust bundle at once, asks " +
    "nobody's evidence, and so breaks what still hangs on it. It says what that is before, and wants " +
    "the authority's id typed again. Then it waits until nobody trusts the root.\n\n" +
    "Of an active authority the retiring or the prepared one takes the place; where there is none, what " +
    "--from-dir brings, or a new root of the server's own: for a CA of your own only with --key-type.",
  flags: {
    "yes-break": {
      type: "string",
      valueName: "AUTHORITY",
      help: "the id again, instead of being asked",
    },
    "key-type": { ...keyTypeFlag, help: "type of the new key, if one is needed" },
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "what takes its place, on the server's machine",
    },
    "no-wait": { type: "boolean", help: "end when it is distrusted, not when nobody trusts it" },
    ...dryRunFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [{ name: "AUTHORITY", help: "its id, as root status shows it" }],
  examples: [
    {
      what: "What would it break?",
      command: "portcullis root compromise 5a0f2b8e4c6d7a9b1c3d5e7f90a1b2c3d4e5f607 --dry-run",
    },
  ],
  async run(context, flags, [authorityId = ""]) {
    const confirmed = flags["yes-break"];
    const source = rootSource("root compromise", flags);
    const operator = operatorName(flags.operator, context.env);
    if (confirmed !== undefined && confirmed !== authorityId) {
      throw otherId(confirmed, textTarget(flags));
    }
    const target = await resolveServerTarget(flags, context);
    const status = await fetchSettledStatus(target, namedAll, context.signal);
    const authority = authorityOf(status, authorityId, target);
    const command: RootCommand = { kind: "compromise", authorityId, replacement: source };
    const preview = await sendOnce(command, { target, operator, dryRun: true });
    if ("refused" in preview) return await reportChange(context, preview, target, flags.output);
    const lines = flags["dry-run"] ? [] : preview.done.lines;
    context.stderr.write(breakText(context, target, status, authority, lines));
    if (flags["dry-run"]) return await reportChange(context, preview, target, flags.output);
    const sending = { target, operator, dryRun: false };
    if (confirmed === undefined) {
      const refuse = refusing(context, sending, flags.output);
      const meant = await confirmBreak(context, target, authorityId, source, refuse);
      if (meant !== ExitCode.ok) return meant;
    }
    const value = await sendOnce(command, sending);
    const done = await reportChange(context, value, target, flags.output);
    if (done !== ExitCode.ok || flags["no-wait"]) return done;
    const progress = new Progress(context, flags.output === "table" ? "table" : "none");
    return await watchGone(context, target, authorityId, progress);
  },
});

function otherId(text: string, target: Pick<ServerTarget, "flagText">): UsageError {
  return new UsageError(
    "usage-invalid-value",
    `--yes-break: expected the same authority as AUTHORITY, got ${JSON.stringify(text)}`,
    { hint: pasteable(target, "portcullis root status") },
  );
}

function authorityOf(
  status: RootStatusValue,
  id: string,
  target: ServerTarget,
): RootAuthorityValue {
  const found = status.authorities.find((each) => each.id === id);
  if (found !== undefined) return found;
  const message = `AUTHORITY: expected the id of an authority, got ${JSON.stringify(id)}`;
  const hint = pasteable(target, "portcullis root status");
  throw new UsageError("usage-invalid-value", message, { hint });
}
