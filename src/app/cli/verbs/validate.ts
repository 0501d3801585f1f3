/** `portcullis validate` */

import type { PolicyObject } from "../../../core/resources/policy-object.ts";
import { refKey } from "../../../core/resources/policy-object.ts";
import { findings } from "../../../core/policy/findings.ts";
import { hasErrors, type LoadedObject } from "../../../edge/resources/manifest.ts";
import { resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { findingTable, findingValue, type LocatedFinding } from "../finding-table.ts";
import { configurationFlags, type ConfigurationFlags } from "../mtls-configuration.ts";
import { requireObjects } from "../no-objects.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { readResourceFiles } from "../resource-files.ts";
import { locatedProblem } from "../server-problems.ts";

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
    const { objects, problems, trustDomain } = await configurationOf(context, flags);
    const origins = new Map(
      objects.map(({ object, origin }) => [refKey(object.object.ref), origin]),
    );
    const policies: readonly PolicyObject[] = objects.map(({ object }) => object);
    const found = findings(policies, { trustDomain }).map((finding) => {
      const origin = finding.ref === undefined ? undefined : origins.get(refKey(finding.ref));
      return { ...finding, origin: origin ?? "" };
    });
    const all: readonly LocatedFinding[] = [...problems, ...found];
    const errors = all.filter(({ severity }) => severity === "error").length;
    const counts = { objects: objects.length, errors, warnings: all.length - errors };
    await writeOutput(context, flags.output, { ...counts, findings: all.map(findingValue) }, () => {
      const summary = `${count(counts.objects, "object")}: ${count(errors, "error")}, ${count(counts.warnings, "warning")}\n`;
      return all.length === 0 ? summary : `${findingTable(all, context)}\n${summary}`;
    });
    if (hasErrors(all)) return ExitCode.refused;
    return all.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

interface Configuration {
  readonly objects: readonly LoadedObject[];
  readonly problems: readonly LocatedFinding[];
  readonly trustDomain: string;
}

async function configurationOf(
  context: Context,
  flags: ConfigurationFlags,
): Promise<Configuration> {
  if (flags.filename.length > 0) {
    const parsed = await readResourceFiles(flags.filename, context);
    requireObjects(flags.filename, [...parsed.objects, ...parsed.problems]);
    return { ...parsed, trustDomain: flags["trust-domain"] };
  }
  const { listResources } = await import("../../../edge/rpc/resource-client.ts");
  const served = await listResources(await resolveAdminAddress(flags, context.env));
  return { ...served, problems: served.problems.map(locatedProblem) };
}

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? "" : "s"}`;
}
