/**
 * The name by which the server's roll knows this agent. It outlives the process: with a new one at
 * each start, the proxies of the previous life would stay in the roll as absent, although they are
 * the same and connected.
 */

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import {
  PrivateFileError,
  readPrivateFile,
  writeFileAtomic,
} from "../../edge/config/private-files.ts";

const fileName = "agent-id";
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Makes one in a new state directory, and where the old one is no UUID. @throws PrivateFileError
 */
export async function loadAgentId(stateDir: string): Promise<string> {
  const path = join(stateDir, fileName);
  const stored = await readStored(path);
  if (stored !== undefined && uuidPattern.test(stored)) return stored;
  const id = randomUUID();
  await writeFileAtomic(path, Buffer.from(id), 0o600);
  return id;
}

async function readStored(path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await readPrivateFile(path, 1_024)).toString();
  } catch (error) {
    if (error instanceof PrivateFileError && error.code === "file-missing") return undefined;
    throw error;
  }
}
