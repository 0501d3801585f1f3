/** `portcullis validate` */

import { findingsOf } from "../../../core/policy/findings.ts";
import { hasErrors } from "../../../edge/resources/manifest.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { findingTable, findingValue } from "../finding-table.ts";
import { configurationFlags, located, readConfiguration } from "../mtls-configuration.ts";
import { requireObjects } from "../no-objects.ts";
import { outputFlag, writeOutput } from "../output.ts";

export const validate: Command = defineCommand({
  description:
    "Says what is wrong with manifests, with file, line and path, and what Istio is silent about: objects " +
    "that are ignored, that fight each other, or that are weaker than they look. Without -f it says " +
    "the same of what a server has.\n\n" +
    "Exits 3 when there are warnings only, 4 when there are errors, and 1 when there is nothing to validate.",
  flags: {
    ...configurationFlags,
    ...outputFlag,
  },
  examples: [
    { what: "Files, before they are applied", command: "portcullis validate -f policies/" },
    {
      what: "What a cluster has",
      command: "kubectl get pa,dr,se,we,sidecar -A -o yaml | portcullis validate -f -",
    },
    {
      what: "The errors alone, for a script",
      command:
        "portcullis validate -f policies/ -o json | jq '.findings[] | select(.severity == \"error\")'",
    },
  ],
  async run(context, flags) {
    const paths = flags.filename;
    const configuration = await readConfiguration(paths, flags, context);
    const { objects, problems, view } = configuration;
    if (paths.length > 0) requireObjects(paths, [...objects, ...problems]);
    const all = [...problems, ...located(configuration, findingsOf(view))];
    const errors = all.filter(({ severity }) => severity === "error").length;
    const written = objects.filter(({ object }) => object.object.ref.standsFor === undefined);
    const counts = { objects: written.length, errors, warnings: all.length - errors };
    await writeOutput(context, flags.output, { ...counts, findings: all.map(findingValue) }, () => {
      const summary = `${count(counts.objects, "object")}: ${count(errors, "error")}, ${count(counts.warnings, "warning")}\n`;
      return all.length === 0 ? summary : `${findingTable(all, context)}\n${summary}`;
    });
    if (hasErrors(all)) return ExitCode.refused;
    return all.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? "" : "s"}`;
}
