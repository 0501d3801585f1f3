/**
 * Which server an operator verb talks to. What is said on the command line goes before the
 * environment, and a directory is only asked for its server when no address is given.
 */

import { resolve } from "node:path";
import { isServed } from "../../edge/rpc/unix-listener.ts";
import { defaultDevDataDir, type Environment } from "../../edge/config/paths.ts";
import { EndpointsError, readEndpoints } from "../../edge/config/endpoints.ts";
import type { AdminTarget } from "../../edge/rpc/admin-target.ts";
import {
  clusterWay,
  givenKubeFlags,
  kubeconfigFiles,
  kubeFlags,
  type KubeValues,
} from "./kube-flags.ts";
import { UsageError } from "./usage-error.ts";

const localFlags = {
  admin: {
    type: "string",
    valueName: "ADDRESS",
    help: "the server's admin address, as unix:///PATH",
    notes: ["default by --data-dir, else by the flags of a cluster, else env PORTCULLIS_ADMIN"],
  },
  "data-dir": {
    type: "string",
    valueName: "DIR",
    help: "find the server by its data directory",
    notes: ["default the directory of portcullis dev; if none runs there, the kubeconfig"],
  },
} as const;

/** The flags, for the table of an operator verb. */
export const connectionFlags: typeof localFlags & typeof kubeFlags = {
  ...localFlags,
  ...kubeFlags,
};

/** What of a verb's world leads to a server. */
export interface Reach {
  readonly env: Environment;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

export interface ConnectionValues extends KubeValues {
  readonly admin: string | undefined;
  readonly "data-dir": string | undefined;
}

/**
 * Nobody is asked yet in a cluster.
 * @throws EndpointsError, PrivateFileError when the directory names no running server, or one that is starting; UsageError
 */
export async function resolveAdminAddress(
  flags: ConnectionValues,
  reach: Reach,
): Promise<AdminTarget> {
  const { env } = reach;
  const inCluster = givenKubeFlags(flags);
  const { admin, "data-dir": dataDir } = flags;
  if (inCluster.length > 0 && (admin || dataDir !== undefined)) throw twoServers(flags);
  if (admin) return targetOf(admin);
  if (inCluster.length > 0) return await clusterOf(flags, reach);
  if (dataDir === undefined && env["PORTCULLIS_ADMIN"]) return targetOf(env["PORTCULLIS_ADMIN"]);
  try {
    return await adminOf(dataDir, env);
  } catch (error) {
    // One that has died here is not to become another one there.
    const isNone = error instanceof EndpointsError && error.code === "endpoints-missing";
    if (!isNone || dataDir !== undefined) throw error;
    const files = await kubeconfigFiles(flags, env);
    if (files.length === 0) throw noServer(error);
    return await clusterWay(files, flags, reach.signal);
  }
}

async function clusterOf(flags: KubeValues, reach: Reach): Promise<AdminTarget> {
  const files = await kubeconfigFiles(flags, reach.env);
  if (files.length > 0) return await clusterWay(files, flags, reach.signal);
  const message = "expected a kubeconfig, got none: neither KUBECONFIG nor ~/.kube/config is there";
  throw new UsageError("usage-invalid-value", message, { hint: "name it by --kubeconfig FILE" });
}

function twoServers(flags: ConnectionValues): UsageError {
  const [[first] = [""]] = givenKubeFlags(flags);
  const other = flags.admin ? "--admin" : "--data-dir";
  const message = `expected one server, got ${other} and --${first}`;
  return new UsageError("usage-invalid-value", message, { hint: "leave one of them out" });
}

function noServer(cause: EndpointsError): EndpointsError {
  const tried = "no kubeconfig either: it was looked for by KUBECONFIG and in ~/.kube/config";
  const hint = cause.hint === undefined ? tried : `${cause.hint}\n${tried}`;
  return new EndpointsError(cause.code, cause.message, { cause, hint });
}

/** A path alone is a socket's: to gRPC it would be the name of a host. */
function targetOf(address: string): string {
  return address.startsWith("/") ? `unix://${address}` : address;
}

async function adminOf(named: string | undefined, env: Environment): Promise<string> {
  const dataDir = named ?? defaultDevDataDir(env);
  try {
    return (await readEndpoints(dataDir)).admin;
  } catch (error) {
    if (!(error instanceof EndpointsError)) throw error;
    // One that waits for its clock is starting, and listens here for whoever accepts it.
    const socket = resolve(dataDir, "admin.sock");
    const isStarting = error.code === "endpoints-starting";
    if (isStarting && (await isServed(socket))) return `unix://${socket}`;
    if (isStarting || named === undefined || error.hint === undefined) throw error;
    // Whoever names a directory means a server's, which `dev` refuses.
    const hint = "is it the server's --data-dir, and does the server run?";
    throw new EndpointsError(error.code, error.message, { cause: error, hint });
  }
}
