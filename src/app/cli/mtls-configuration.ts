/** The configuration that `validate`, `mtls explain` and `mtls diff` decide from: files, or what a server has. */

import { PortcullisError } from "../../core/error.ts";
import type { Finding } from "../../core/policy/finding.ts";
import type { Hold } from "../../core/policy/holds.ts";
import { MeshView } from "../../core/policy/mesh-view.ts";
import { refKey } from "../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../core/resources/resource.ts";
import { hasErrors, type LoadedObject } from "../../edge/resources/manifest.ts";
import { connectionFlags, resolveAdminAddress } from "./admin-address.ts";
import type { Context } from "./command.ts";
import type { LocatedFinding } from "./finding-table.ts";
import { filenameFlag, ManifestsError, readResourceFiles } from "./resource-files.ts";

type ConfigurationFlagTable = typeof filenameFlag &
  typeof connectionFlags & {
    readonly "trust-domain": {
      readonly type: "string";
      readonly valueName: string;
      readonly help: string;
      readonly default: string;
    };
  };

/** Of these verbs. */
export const configurationFlags: ConfigurationFlagTable = {
  ...filenameFlag,
  "trust-domain": {
    type: "string",
    valueName: "NAME",
    help: "the mesh's, with -f",
    default: "cluster.local",
  },
  ...connectionFlags,
};

export interface ConfigurationFlags {
  readonly filename: readonly string[];
  readonly "trust-domain": string;
  readonly admin: string | undefined;
  readonly "data-dir": string | undefined;
}

export interface Configuration {
  /** What the objects say. */
  readonly view: MeshView;
  /** Of the flips of the server: none where it is files that are asked. */
  readonly holds: readonly Hold[];
  readonly objects: readonly LoadedObject[];
  /** Of the files, or of those in the server's directory: what it had of them before holds. */
  readonly problems: readonly LocatedFinding[];
  /** `FILE:LINE` of an object; "" where it is not known. */
  readonly originOf: (ref: Pick<ResourceRef, "kind" | "namespace" | "name">) => string;
}

export type ExplainErrorCode =
  | "explain-unknown-workload"
  | "explain-unknown-host"
  | "explain-unknown-port"
  | "explain-unknown-subset"
  | "explain-ambiguous";

/** What is asked for is not in the configuration, or is there several times. */
export class ExplainError extends PortcullisError<ExplainErrorCode> {
  override name = "ExplainError";
}

export function configurationOf(
  objects: readonly LoadedObject[],
  trustDomain: string,
  problems: Configuration["problems"] = [],
  holds: readonly Hold[] = [],
): Configuration {
  const origins = new Map(objects.map(({ object, origin }) => [refKey(object.object.ref), origin]));
  const view = new MeshView(
    objects.map(({ object }) => object),
    trustDomain,
  );
  return { view, objects, problems, holds, originOf: (ref) => origins.get(refKey(ref)) ?? "" };
}

/** With what flips hold back now, whatever the objects say. */
export function heldNow(configuration: Configuration): Configuration {
  const { objects, view, holds } = configuration;
  if (holds.length === 0) return configuration;
  const all = objects.map(({ object }) => object);
  return { ...configuration, view: new MeshView(all, view.mesh.trustDomain, holds) };
}

/** @param paths none for the server's. @throws PrivateFileError, AdminClientError */
export async function readConfiguration(
  paths: readonly string[],
  flags: ConfigurationFlags,
  context: Context,
): Promise<Configuration> {
  if (paths.length > 0) {
    const { objects, problems } = await readResourceFiles(paths, context);
    return configurationOf(objects, flags["trust-domain"], problems);
  }
  const { listResources } = await import("../../edge/rpc/resource-client.ts");
  const server = await listResources(await resolveAdminAddress(flags, context));
  return configurationOf(server.objects, server.trustDomain, server.problems, server.holds);
}

/** The same where all of the files are needed. @throws ManifestsError, PrivateFileError, AdminClientError */
export async function loadConfiguration(
  paths: readonly string[],
  flags: ConfigurationFlags,
  context: Context,
): Promise<Configuration> {
  const configuration = await readConfiguration(paths, flags, context);
  const { problems } = configuration;
  if (paths.length > 0 && hasErrors(problems)) throw new ManifestsError(problems);
  return configuration;
}

export function located(
  { originOf }: Pick<Configuration, "originOf">,
  all: readonly Finding[],
): readonly LocatedFinding[] {
  return all.map((each) => ({ ...each, origin: each.ref === undefined ? "" : originOf(each.ref) }));
}
