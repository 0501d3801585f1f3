/** `portcullis mtls permissive` */

import { operatorPattern } from "../../../core/operator.ts";
import { makePermissive } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative, formatTimestamp } from "../format.ts";
import { changedYaml, changeText, changeValue, objectChange } from "../mtls-change.ts";
import { targetPositional } from "../mtls-flags.ts";
import { nameValue } from "../mtls-status-value.ts";
import { answerEmpty, refusalText, refusalValue, type RefuseMtls } from "../mtls-refused.ts";
import { asUsage, claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { hinted, resolveServerTarget, shellText } from "../server-target.ts";
import { printable } from "../text.ts";
import { parseUntil } from "../until-flag.ts";
import { UsageError } from "../usage-error.ts";

export const mtlsPermissive: Command = defineCommand({
  description:
    "Lets ports take mTLS and plaintext until a date, with somebody who answers for it: what is STRICT or DISABLE becomes " +
    "PERMISSIVE, and what is PERMISSIVE already gets the date. mtls status lists it. The date alarms when it has come; it " +
    "changes nothing.\n\n" +
    "-o yaml prints the object to commit, and writes nothing. A refusal exits 4.",
  flags: {
    until: {
      type: "string",
      valueName: "DATE|DURATION",
      help: "until when: 2026-12-24, 2026-12-24T08:00:00Z, or 90d from now",
      required: true,
    },
    owner: {
      type: "string",
      valueName: "NAME",
      help: "who answers for it: a team, a person; at most 60 characters",
      required: true,
    },
    ...dryRunFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [targetPositional],
  examples: [
    {
      what: "Until the last caller has moved",
      command: "portcullis mtls permissive payments/api --until 2026-12-24 --owner team-x",
    },
    {
      what: "Policy in git",
      command:
        "portcullis mtls permissive payments/api --until 90d --owner team-x -o yaml > policies/api.yaml",
    },
  ],
  async run(context, flags, [target = ""]) {
    const { output } = flags;
    const untilMs = parseUntil(flags.until, context.nowMs(), true);
    const owner = ownerOf(flags.owner);
    // What is to be committed is somebody else's to write.
    const dryRun = flags["dry-run"] || output === "yaml";
    const operator = operatorName(flags.operator, context.env);
    const server = await resolveServerTarget(flags, context.env);
    const refuse: RefuseMtls = async (refused) => {
      const view = { colour: false, isAsked: false, nowMs: context.nowMs() };
      if (output === "json") await writeOutput(context, output, { dryRun, refused }, () => "");
      else context.stderr.write(refusalText(refused, view));
      return ExitCode.refused;
    };
    const sent = makePermissive(server.address, { target, untilMs, owner, operator, dryRun });
    const { result, object, ...json } = await hinted(server, asUsage("mtls permissive", sent));
    if (result.case === undefined) return await refuse(answerEmpty(server));
    if (result.case === "refused") {
      const refused = refusalValue(result.value, server);
      const given = ` --until ${shellText([flags.until, "--owner", owner])}`;
      // A server does not know how it was written.
      const next = refused.next.map(({ command, why }) => ({
        command: command.replace(" --until 30d --owner NAME", () => given),
        why,
      }));
      return await refuse({ ...refused, next });
    }
    const change = objectChange(json);
    if (output === "yaml") {
      if (change !== undefined) context.stdout.write(changedYaml(change));
      return ExitCode.ok;
    }
    const done = {
      action: result.value,
      object: nameValue(object),
      until: formatTimestamp(untilMs),
      owner,
    };
    const what = change === undefined ? null : changeValue(change);
    await writeOutput(context, output, { dryRun, ...done, change: what }, () => {
      const when = `${done.until} (${formatRelative(untilMs, context.nowMs())})`;
      const said = `${dryRun ? "would be permissive" : "permissive"} until ${when}; ${printable(owner)} answers for it\n`;
      const dry = dryRun ? "nothing was changed: this was a dry run\n" : "";
      const made = dryRun ? "would-be" : "made";
      return `${change === undefined ? "" : changeText(change, made)}${said}${dry}`;
    });
    return ExitCode.ok;
  },
});

/** @throws UsageError */
function ownerOf(owner: string): string {
  if (owner.trim() !== "" && operatorPattern.test(owner)) return owner;
  const got = JSON.stringify(owner.slice(0, 100));
  const message = `--owner: expected one line of 1 to 60 characters, got ${owner.length}: ${got}`;
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help mtls permissive" });
}
