/**
 * Which server an operator verb talks to. What is said on the command line goes before the
 * environment, and a directory is only asked for its server when no address is given.
 */

import { defaultDevDataDir, type Environment } from "../../edge/config/paths.ts";
import { EndpointsError, readEndpoints, type Endpoints } from "../../edge/config/endpoints.ts";

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
 * running server
 */
export async function resolveAdminAddress(
  flags: { readonly admin: string | undefined; readonly "data-dir": string | undefined },
  env: Environment,
): Promise<string> {
  if (flags.admin) return flags.admin;
  if (flags["data-dir"] === undefined && env["PORTCULLIS_ADMIN"]) return env["PORTCULLIS_ADMIN"];
  const { admin } = await readEndpointsOf(flags["data-dir"], env);
  return admin;
}

async function readEndpointsOf(dataDir: string | undefined, env: Environment): Promise<Endpoints> {
  if (dataDir === undefined) return await readEndpoints(defaultDevDataDir(env));
  try {
    return await readEndpoints(dataDir);
  } catch (error) {
    if (!(error instanceof EndpointsError) || error.hint === undefined) throw error;
    // Whoever names a directory means a server's, which `dev` refuses.
    const hint = "is it the server's --data-dir, and does the server run?";
    throw new EndpointsError(error.code, error.message, { cause: error, hint });
  }
}
