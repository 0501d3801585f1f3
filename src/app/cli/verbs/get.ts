/** `portcullis get` */

import { findings } from "../../../core/policy/findings.ts";
import {
  refWords,
  type ClusterKind,
  type ResourceKind,
  type ResourceRef,
} from "../../../core/resources/resource.ts";
import { PortcullisError } from "../../../core/error.ts";
import { didYouMean } from "../../../edge/config/nearest-match.ts";
import { listResources, type ServerResources } from "../../../edge/rpc/resource-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { findingLine, parseShownKind } from "../resource-kind.ts";
import { objectsTable, objectValue, shownObjects } from "../resource-table.ts";

/** Nothing has that name. */
class NotFoundError extends PortcullisError<"resource-unknown"> {
  override name = "NotFoundError";
}

export const get: Command = defineCommand({
  description:
    "Shows the objects of a server's configuration: those of its directory (--resources) by file and line, and " +
    "those that were applied, and those of its cluster; pods and services of the cluster only where they are asked for. " +
    "With -o yaml they are printed as portcullis apply takes them.\n\n" +
    "What is weaker than it looks stands in the last column by its code; portcullis validate says it in words. " +
    "Exits 3 when a file of the directory is bad, whose last good state holds, or an object was applied in vain.",
  flags: {
    namespace: {
      type: "string",
      short: "n",
      valueName: "NAMESPACE",
      help: "of the objects",
      default: "default",
    },
    "all-namespaces": { type: "boolean", short: "A", help: "of all namespaces" },
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [
    {
      name: "KIND",
      help: "such as peerauthentication, or pa; all of them without it",
      optional: true,
    },
    { name: "NAME", help: "of one object", optional: true },
  ],
  examples: [
    { what: "All that there is", command: "portcullis get -A" },
    { what: "What decides about a namespace", command: "portcullis get pa -n payments" },
    {
      what: "Everything, to be kept or moved",
      command: "portcullis get -A -o yaml > mesh.yaml",
    },
  ],
  async run(context, flags, [kindWord, name]) {
    const kind = kindWord === undefined ? undefined : parseShownKind(kindWord);
    const namespace = flags["all-namespaces"] ? undefined : flags.namespace;
    const server = await listResources(await resolveAdminAddress(flags, context));
    const selected = server.objects.filter(({ object: { object } }) => {
      const { ref } = object;
      const isIn = namespace === undefined || ref.namespace === namespace;
      const shown = ref.standsFor ?? ref;
      // Of pods there may be thousands.
      const isKind = kind === undefined ? ref.standsFor === undefined : kind === shown.kind;
      return isIn && isKind && (name ?? shown.name) === shown.name;
    });
    if (kind !== undefined && name !== undefined && selected.length === 0) {
      throw notFound(server, kind, name, namespace);
    }
    await show(context, flags.output, server, selected, namespace);
    for (const line of problemLines(server)) context.stderr.write(`warning: ${line}\n`);
    return server.problems.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

async function show(
  context: Context,
  format: "table" | "json" | "yaml",
  server: ServerResources,
  selected: ServerResources["objects"],
  namespace: string | undefined,
): Promise<void> {
  const { objects, trustDomain, sequence } = server;
  if (format === "yaml") {
    const { formatYaml } = await import("../../../edge/config/yaml.ts");
    const documents = shownObjects(selected, []).map(({ manifest }) => formatYaml(manifest));
    context.stdout.write(documents.join("---\n"));
    return;
  }
  // Of all: what is weak about one may be what another says.
  const all = objects.map(({ object }) => object);
  const shown = shownObjects(selected, findings(all, { trustDomain }));
  const items = shown.map(objectValue);
  const problems = problemLines(server);
  await writeOutput(context, format, { trustDomain, sequence, problems, items }, () => {
    if (shown.length === 0) return nothing(objects, namespace);
    return objectsTable(shown, { nowMs: context.nowMs(), colour: wantsColour(context) });
  });
}

function problemLines({ problems }: ServerResources): readonly string[] {
  return problems.map(findingLine);
}

function nothing(objects: ServerResources["objects"], namespace: string | undefined): string {
  const refs = objects.map(({ object: { object } }) => object.ref);
  if (refs.length === 0)
    return "the server has no objects: portcullis apply -f FILE gives it some\n";
  const isIn = (ref: ResourceRef): boolean =>
    namespace === undefined || ref.namespace === namespace;
  const written = refs.filter(({ standsFor }) => standsFor === undefined).length;
  const isCluster = refs.some((ref) => ref.standsFor !== undefined && isIn(ref));
  const where = namespace === undefined ? "of that kind" : `of that kind in ${namespace}`;
  const place = namespace === undefined ? "-A" : `-n ${namespace}`;
  const elsewhere = [
    ...(written > 0 ? [`all ${written}: portcullis get -A`] : []),
    ...(isCluster ? [`the cluster's: portcullis get services ${place}`] : []),
  ];
  return `${[`no objects ${where}`, ...elsewhere].join("; ")}\n`;
}

function notFound(
  { objects }: ServerResources,
  kind: ResourceKind | ClusterKind,
  name: string,
  namespace: string | undefined,
): NotFoundError {
  const others = objects
    .map(({ object: { object } }) => ({ ...object.ref, ...object.ref.standsFor }))
    .filter((ref) => ref.kind === kind);
  const elsewhere = others.find((ref) => ref.name === name);
  const what = namespace === undefined ? `${kind} ${name}` : refWords({ kind, namespace, name });
  const near = didYouMean(
    name,
    others.filter((ref) => ref.namespace === (namespace ?? ref.namespace)).map((ref) => ref.name),
  );
  const hint =
    elsewhere === undefined
      ? `portcullis get ${kind} -A`
      : `portcullis get ${kind} ${name} -n ${elsewhere.namespace}`;
  return new NotFoundError("resource-unknown", `there is no ${what}${near}`, {
    hint,
  });
}
