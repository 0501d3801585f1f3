/** The configuration that `mtls explain` and `mtls diff` decide from: files, or what a server has. */

import { PortcullisError } from "../../core/error.ts";
import { MeshView } from "../../core/policy/mesh-view.ts";
import { refKey } from "../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../core/resources/resource.ts";
import type { LoadedObject } from "../../edge/resources/manifest.ts";
import { connectionFlags, resolveAdminAddress } from "./admin-address.ts";
import type { Context } from "./command.ts";
import { filenameFlag, loadResourceFiles } from "./resource-files.ts";

type ConfigurationFlagTable = typeof filenameFlag &
  typeof connectionFlags & {
    readonly "trust-domain": {
      readonly type: "string";
      readonly valueName: string;
      readonly help: string;
      readonly default: string;
    };
  };

/** Of both verbs. */
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
  readonly view: MeshView;
  readonly objects: readonly LoadedObject[];
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
): Configuration {
  const origins = new Map(objects.map(({ object, origin }) => [refKey(object.object.ref), origin]));
  const view = new MeshView(
    objects.map(({ object }) => object),
    trustDomain,
  );
  return { view, objects, originOf: (ref) => origins.get(refKey(ref)) ?? "" };
}

/** @param paths none for the server's. @throws ManifestsError, AdminClientError */
export async function loadConfiguration(
  paths: readonly string[],
  flags: ConfigurationFlags,
  context: Context,
): Promise<Configuration> {
  if (paths.length > 0) {
    const { objects } = await loadResourceFiles(paths, context);
    return configurationOf(objects, flags["trust-domain"]);
  }
  const { listResources } = await import("../../edge/rpc/resource-client.ts");
  const server = await listResources(await resolveAdminAddress(flags, context.env));
  return configurationOf(server.objects, server.trustDomain);
}
