/** The two configurations that `mtls diff` compares: two of files, or the server's and what it would be with the files applied. */

import { withApplied } from "./applied-objects.ts";
import type { Context } from "./command.ts";
import {
  configurationOf,
  loadConfiguration,
  type Configuration,
  type ConfigurationFlags,
} from "./mtls-configuration.ts";
import { requireObjects } from "./no-objects.ts";
import { loadResourceFiles } from "./resource-files.ts";
import { UsageError } from "./usage-error.ts";

export interface DiffSides {
  readonly before: Configuration;
  readonly after: Configuration;
}

/** @throws UsageError, ManifestsError, NoObjectsError, AdminClientError */
export async function loadSides(flags: ConfigurationFlags, context: Context): Promise<DiffSides> {
  const [first, second, third] = flags.filename;
  if (first === undefined || third !== undefined) {
    const message = `--filename: expected one or two, got ${flags.filename.length}`;
    throw new UsageError("usage-invalid-value", message, {
      hint: "portcullis mtls diff -f OLD -f NEW",
    });
  }
  if (second !== undefined) {
    const before = await loadConfiguration([first], flags, context);
    const after = await loadConfiguration([second], flags, context);
    requireObjects([second], after.objects);
    return { before, after };
  }
  const { objects } = await loadResourceFiles([first], context);
  requireObjects([first], objects);
  const before = await loadConfiguration([], flags, context);
  const after = [...withApplied(before.objects, objects, context.nowMs()).values()];
  return { before, after: configurationOf(after, before.view.mesh.trustDomain) };
}
