/** `portcullis diff` */

import { refKey } from "../../../core/resources/policy-object.ts";
import { formatYaml } from "../../../edge/config/yaml.ts";
import type { LoadedObject, Manifest } from "../../../edge/resources/manifest.ts";
import { listResources } from "../../../edge/rpc/resource-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { requireObjects } from "../no-objects.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { filenameFlag, loadResourceFiles } from "../resource-files.ts";
import { resourceWords } from "../resource-kind.ts";
import { unifiedDiff } from "../resource-line-diff.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";

interface ObjectDiff {
  readonly wanted: LoadedObject;
  /** Undefined for what the server does not have. */
  readonly before: LoadedObject | undefined;
  /** "" where nothing differs. */
  readonly text: string;
}

export const diff: Command = defineCommand({
  description:
    "Compares files with a server's configuration, object by object: what portcullis apply would write. What the " +
    "server has and the files do not is not shown. What it would do to whom: portcullis mtls diff.\n\n" +
    "Exits 3 when something differs.",
  flags: { ...filenameFlag, ...connectionFlags, ...outputFlag },
  examples: [{ what: "Before it is applied", command: "portcullis diff -f policies/" }],
  async run(context, flags) {
    if (flags.filename.length === 0) {
      const hint = "portcullis diff -f FILE";
      throw new UsageError("usage-missing-flag", "--filename is required", { hint });
    }
    const { objects } = await loadResourceFiles(flags.filename, context);
    requireObjects(flags.filename, objects);
    const server = await listResources(await resolveAdminAddress(flags, context));
    const byKey = new Map(server.objects.map((each) => [refKey(each.object.object.ref), each]));
    const diffs = objects.map((each) => diffOf(each, byKey.get(refKey(each.object.object.ref))));
    const differing = diffs.filter(({ text }) => text !== "");
    await writeOutput(context, flags.output, { changes: differing.map(diffValue) }, () =>
      differing.map(diffText).join(""),
    );
    return differing.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

function diffOf(wanted: LoadedObject, before: LoadedObject | undefined): ObjectDiff {
  if (before === undefined)
    return { wanted, before, text: unifiedDiff("", formatYaml(wanted.manifest)) };
  // Its age stays, whatever the file says.
  const [old, next] = [before.manifest, wanted.manifest].map(withoutAge);
  return { wanted, before, text: unifiedDiff(formatYaml(old), formatYaml(next)) };
}

function withoutAge(manifest: Manifest): Manifest {
  const { creationTimestamp: _, ...metadata } = manifest.metadata;
  return { ...manifest, metadata };
}

function diffText({ wanted, before, text }: ObjectDiff): string {
  const action = before === undefined ? "created" : "configured";
  const from = before === undefined ? "nothing" : before.origin || "applied";
  const lines = text.split("\n").map(printable).join("\n");
  const { origin, object } = wanted;
  const head = `${resourceWords(object.object.ref)} ${action}`;
  return `${head}\n--- ${printable(from)}\n+++ ${printable(origin)}\n${lines}`;
}

function diffValue({ wanted, before, text }: ObjectDiff) {
  return {
    ...wanted.object.object.ref,
    action: before === undefined ? "created" : "configured",
    origin: wanted.origin,
    serverOrigin: before?.origin ?? null,
    diff: text,
  };
}
