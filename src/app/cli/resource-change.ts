/** `apply` and `delete`: a change of a server's configuration, what it was told for it, and what is weaker than it looks since then. */

import { findingKey, findings } from "../../core/policy/findings.ts";
import { refKey } from "../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../core/resources/resource.ts";
import type { LoadedObject } from "../../edge/resources/manifest.ts";
import {
  changeResources,
  listResources,
  type ChangedResources,
  type ServerResources,
} from "../../edge/rpc/resource-client.ts";
import { withApplied } from "./applied-objects.ts";
import { connectionFlags, resolveAdminAddress } from "./admin-address.ts";
import type { Context } from "./command.ts";
import { findingValue, type LocatedFinding } from "./finding-table.ts";
import { operatorName } from "./operator.ts";
import { outputFlag, writeOutput, type JsonValue, type OutputFormat } from "./output.ts";
import { findingLine, resourceWords } from "./resource-kind.ts";

type ChangeFlagTable = typeof connectionFlags &
  typeof outputFlag & {
    readonly "dry-run": { readonly type: "boolean"; readonly help: string };
    readonly operator: {
      readonly type: "string";
      readonly valueName: string;
      readonly help: string;
      readonly notes: readonly string[];
    };
  };

/** Of both verbs. */
export const changeFlags: ChangeFlagTable = {
  "dry-run": { type: "boolean", help: "say what would be done, and do nothing" },
  operator: {
    type: "string",
    valueName: "NAME",
    help: "who does it, for the log; claimed, not proved",
    notes: ["default env USER, else the uid"],
  },
  ...connectionFlags,
  ...outputFlag,
};

export interface ChangeFlags {
  readonly "dry-run": boolean;
  readonly operator: string | undefined;
  readonly admin: string | undefined;
  readonly "data-dir": string | undefined;
  readonly output: OutputFormat;
}

export interface ResourceOrder {
  readonly apply: readonly LoadedObject[];
  readonly remove: readonly ResourceRef[];
}

/** What is to be known of it is said, and is no failure. */
export async function runChange(
  context: Context,
  flags: ChangeFlags,
  order: ResourceOrder,
): Promise<void> {
  const isDryRun = flags["dry-run"];
  const operator = operatorName(flags.operator, context.env);
  const address = await resolveAdminAddress(flags, context);
  const before = await listResources(address);
  const done = await changeResources(address, { ...order, isDryRun, operator });
  // Here and not in the server, whose callers would wait for it.
  const found = findingsSince(before, order, context.nowMs());
  await writeOutput(context, flags.output, valueOf(done, found, isDryRun), () =>
    done.changes.map((each) => `${changeLine(each, isDryRun)}\n`).join(""),
  );
  if (flags.output === "table") {
    for (const each of found) context.stderr.write(`${each.severity}: ${findingLine(each)}\n`);
  }
}

/** Those of what was applied, and those that others did not have before. */
function findingsSince(
  { objects, trustDomain }: ServerResources,
  { apply, remove }: ResourceOrder,
  nowMs: number,
): readonly LocatedFinding[] {
  const after = withApplied(objects, apply, nowMs);
  const origins = new Map([...after].map(([key, { origin }]) => [key, origin]));
  for (const ref of remove) after.delete(refKey(ref));
  const applied = new Set(apply.map(({ object }) => refKey(object.object.ref)));
  const findingsOf = (all: Iterable<LoadedObject>) =>
    findings(
      Array.from(all, ({ object }) => object),
      { trustDomain },
    );
  const known = new Set(findingsOf(objects).map(findingKey));
  return findingsOf(after.values()).flatMap((each) => {
    const key = each.ref === undefined ? "" : refKey(each.ref);
    const isNew = applied.has(key) || !known.has(findingKey(each));
    return isNew ? [{ ...each, origin: origins.get(key) ?? "" }] : [];
  });
}

function changeLine(
  { ref, action }: ChangedResources["changes"][number],
  isDryRun: boolean,
): string {
  return `${resourceWords(ref)} ${action}${isDryRun ? " (dry run)" : ""}`;
}

function valueOf(
  { changes, sequence }: ChangedResources,
  found: readonly LocatedFinding[],
  isDryRun: boolean,
): JsonValue {
  return {
    dryRun: isDryRun,
    sequence,
    changes: changes.map(({ ref, action }) => ({ ...ref, action })),
    findings: found.map(findingValue),
  };
}
