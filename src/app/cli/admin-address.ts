/**
 * Which server an operator verb talks to. What is said on the command line goes before the
 * environment, and a directory is only asked for its server when no address is given.
 */

import { resolve } from "node:path";
import { isServed } from "../../edge/rpc/unix-listener.ts";
import { defaultDevDataDir, type Environment } from "../../edge/config/paths.ts";
import { EndpointsError, readEndpoints } from "../../edge/config/endpoints.ts";

/** The flags, for the table of an operator verb. */
export const connectionFlags = {
  admin: {
    type: "string",
    valueName: "ADDRESS",
    help: "the server's admin address, as unix:///PATH",
    notes: ["default by --data-dir, else env PORTCULLIS_ADMIN"],
  },
  "data-dir": {
    type: "string",
    valueName: "DIR",
    help: "find the server by its data directory",
    notes: ["default the directory of portcullis dev"],
  },
} as const;

/**
 * @returns a gRPC target. @throws EndpointsError, PrivateFileError when the directory names no
 * running server, or one that is starting
 */
export async function resolveAdminAddress(
  flags: { readonly admin: string | undefined; readonly "data-dir": string | undefined },
  env: Environment,
): Promise<string> {
  if (flags.admin) return targetOf(flags.admin);
  if (flags["data-dir"] === undefined && env["PORTCULLIS_ADMIN"]) {
    return targetOf(env["PORTCULLIS_ADMIN"]);
  }
  return await adminOf(flags["data-dir"], env);
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
