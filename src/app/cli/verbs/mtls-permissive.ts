/** `portcullis mtls permissive` */

import { operatorPattern } from "../../../core/operator.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative, formatTimestamp } from "../format.ts";
import { changedYaml, changeText, changeValue, objectChange } from "../mtls-change.ts";
import { targetPositional } from "../mtls-flags.ts";
import { orderPermissive } from "../mtls-permissive-order.ts";
import { nameValue } from "../mtls-status-value.ts";
import { othersNote, otherValue } from "../mtls-surroundings.ts";
import { answerEmpty, refusalText, refusalValue, type RefuseMtls } from "../mtls-refused.ts";
import { claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { resolveServerTarget, shellText } from "../server-target.ts";
import { printable } from "../text.ts";
import { parseUntil } from "../until-flag.ts";
import { UsageError } from "../usage-error.ts";

export const mtlsPermissive: Command = defineCommand({
  description:
    "Lets ports take mTLS and plaintext until a date, with somebody who answers for it: what is STRICT or DISABLE becomes " +
    "PERMISSIVE, and what is PERMISSIVE already gets the date. mtls status lists it. The date alarms when it has come; it " +
    "changes nothing. Where it turns strict off, it shows the change and asks.\n\n" +
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
    yes: { type: "boolean", help: "turn strict off without being asked" },
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
    const server = await resolveServerTarget(flags, context);
    const refuse: RefuseMtls = async (refused) => {
      const view = { colour: false, isAsked: false, nowMs: context.nowMs() };
      if (output === "json") await writeOutput(context, output, { dryRun, refused }, () => "");
      else context.stderr.write(refusalText(refused, view));
      return ExitCode.refused;
    };
    const given = ["--until", flags.until, "--owner", owner];
    const answer = await orderPermissive(context, {
      server,
      request: { target, untilMs, owner, operator, dryRun },
      yes: flags.yes,
      refuse,
      words: [...given, ...(output === "json" ? ["-o", output] : [])],
    });
    if (typeof answer === "number") return answer;
    const { result, object, decidedByOthers, endsStrict, ...json } = answer;
    if (result.case === undefined) return await refuse(answerEmpty(server));
    if (result.case === "refused") {
      const refused = refusalValue(result.value, server);
      // A server does not know how it was written.
      const next = refused.next.map(({ command, why }) => ({
        command: command.replaceAll(" --until 30d --owner NAME", () => ` ${shellText(given)}`),
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
    const others = decidedByOthers.map(otherValue);
    const value = { dryRun, ...done, change: what, endsStrict, decidedByOthers: others };
    await writeOutput(context, output, value, () => {
      const when = `${done.until} (${formatRelative(untilMs, context.nowMs())})`;
      const said = `${dryRun ? "would be permissive" : "permissive"} until ${when}; ${printable(owner)} answers for it\n`;
      const dry = dryRun ? "nothing was changed: this was a dry run\n" : "";
      const made = dryRun ? "would-be" : "made";
      const kept = othersNote(others.filter(({ mode }) => mode !== "permissive"));
      const note = kept === "" ? "" : `note: ${printable(kept)}\n`;
      return `${change === undefined ? "" : changeText(change, made)}${said}${note}${dry}`;
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
