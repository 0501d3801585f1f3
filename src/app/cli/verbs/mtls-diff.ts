/** `portcullis mtls diff` */

import { diffPolicies, type PolicyDiff } from "../../../core/policy/policy-diff.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { findingValue } from "../finding-table.ts";
import { configurationFlags, located } from "../mtls-configuration.ts";
import { loadSides } from "../mtls-diff-sides.ts";
import { diffText, type FindingsChange } from "../mtls-diff-text.ts";
import { outputFlag, writeOutput, type JsonValue } from "../output.ts";

export const mtlsDiff: Command = defineCommand({
  description:
    "Says what a change of policies would do to whom: which ports would take something else, which calls would be " +
    "sent otherwise, be refused or fail, and what would be reported newly. With two -f the first is compared with " +
    "the second, without a server; with one, what the server has is compared with the same after portcullis apply -f.\n\n" +
    "Compared are the ports of the WorkloadEntries that both have and that have a proxy, and the calls of all of " +
    "them to every host that their Sidecars let them call, or that they see if they have none. Hosts, endpoints and " +
    "workloads that are only new change nothing.\n\n" +
    "Exits 3 when something changes, and 4 when a call that worked would be refused, or fail.",
  flags: { ...configurationFlags, ...outputFlag },
  examples: [
    {
      what: "A pull request's check",
      command: "portcullis mtls diff -f main/policies/ -f policies/",
    },
    { what: "Before it is applied", command: "portcullis mtls diff -f strict.yaml" },
    {
      what: "Who would be shut out",
      command:
        "portcullis mtls diff -f strict.yaml -o json | jq -r '.calls[] | select(.breaks) | .clients[]'",
    },
  ],
  async run(context, flags) {
    const { before, after } = await loadSides(flags, context);
    const diff = diffPolicies(before.view, after.view);
    const found: FindingsChange = {
      appeared: located(after, diff.newFindings),
      gone: located(before, diff.goneFindings),
    };
    await writeOutput(context, flags.output, diffValue(diff, found), () =>
      diffText(after, diff, found, context),
    );
    return exitCodeOf(diff);
  },
});

function exitCodeOf({ summary, ports, calls, newFindings, goneFindings }: PolicyDiff): ExitCode {
  if (summary.callsBroken > 0) return ExitCode.refused;
  const changes = [...ports, ...calls, ...newFindings, ...goneFindings];
  return changes.length === 0 ? ExitCode.ok : ExitCode.warning;
}

function diffValue(
  { summary, ports, calls }: PolicyDiff,
  { appeared, gone }: FindingsChange,
): JsonValue {
  const findings = {
    newFindings: appeared.map(findingValue),
    goneFindings: gone.map(findingValue),
  };
  return { summary, ports, calls, ...findings };
}
